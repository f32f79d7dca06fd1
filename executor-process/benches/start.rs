//! How long workers take to start: from the order to the first answer. Also that they start from a bench without a
//! harness.
#![expect(clippy::print_stdout, reason = "it is what a bench is for")]

use std::time::{Duration, Instant};

use executor_process::StartMethod;
use executor_process::testing::Crew;

const COLD: usize = 100;
const WARM: usize = 400;

fn main() {
    // Fork first: the others begin no thread here, but a pool of them would.
    for method in [StartMethod::Fork, StartMethod::ForkServer, StartMethod::Spawn] {
        let mut cold = Vec::new();
        for _ in 0..COLD {
            let began = Instant::now();
            let mut crew = Crew::new(method).expect("the entry is in place");
            let mut witness = crew.start().expect("it starts");
            witness.ask("echo").expect("it answers");
            cold.push(began.elapsed());
        }
        let mut crew = Crew::new(method).expect("the entry is in place");
        let _first = crew.start().expect("it starts");
        let (mut warm, mut replaced) = (Vec::new(), Vec::new());
        for _ in 0..WARM {
            let began = Instant::now();
            let mut witness = crew.start().expect("it starts");
            witness.ask("echo").expect("it answers");
            warm.push(began.elapsed());
            let began = Instant::now();
            witness.kill().expect("it is killed");
            crew.end_of(&witness);
            replaced.push(began.elapsed());
        }
        show(&format!("{method:?}: new pool to its first answer"), &mut cold);
        show(&format!("{method:?}: a further worker to its first answer"), &mut warm);
        show(&format!("{method:?}: kill to the word of its end"), &mut replaced);
    }
}

fn show(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_micros();
    println!("{what}: p50 {} µs, p90 {} µs, p99 {} µs", at(50), at(90), at(99));
}
