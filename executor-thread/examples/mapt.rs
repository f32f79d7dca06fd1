use executor_core::*;
use executor_thread::ThreadExecutor;
use std::time::Instant;
#[job]
fn inc(n: u64) -> u64 { n + 1 }
fn cpu() -> u64 { let s = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap(); s.split(' ').next().unwrap().parse().unwrap() }
fn pcpu() -> u64 { let mut t = 0; for e in std::fs::read_dir("/proc/self/task").unwrap() { t += std::fs::read_to_string(e.unwrap().path().join("schedstat")).unwrap().split(' ').next().unwrap().parse::<u64>().unwrap(); } t }
fn main() {
    let pool = ThreadExecutor::new(2).unwrap();
    for _ in 0..std::env::args().nth(1).unwrap().parse::<usize>().unwrap() {
        let t = Instant::now(); let c = cpu(); let p = pcpu(); let mut s = 0;
        for r in pool.map(inc::job, 0..1_000_000) { s += r.unwrap(); }
        println!("map {:?} {s} main cpu {} process {}", t.elapsed(), (cpu()-c)/1_000_000, (pcpu()-p)/1_000_000);
    }
}
