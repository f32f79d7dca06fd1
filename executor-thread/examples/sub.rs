use executor_core::*;
use executor_thread::ThreadExecutor;
use serde::{Serialize, Deserialize};
use std::time::Instant;
#[derive(Serialize, Deserialize)]
struct Inc(u64);
impl Job for Inc { type Output = u64; fn start(self) -> Work<u64> { Work::Ready(self.0 + 1) } register_job!(Inc); }
fn cpu() -> u64 { let s = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap(); s.split(' ').next().unwrap().parse().unwrap() }
fn pcpu() -> u64 { let mut t = 0; for e in std::fs::read_dir("/proc/self/task").unwrap() { t += std::fs::read_to_string(e.unwrap().path().join("schedstat")).unwrap().split(' ').next().unwrap().parse::<u64>().unwrap(); } t }
fn main() {
    let pool = ThreadExecutor::new(2).unwrap();
    let mut best = u128::MAX;
    for _ in 0..std::env::args().nth(1).unwrap().parse::<usize>().unwrap() {
        let t = Instant::now(); let c = cpu(); let p = pcpu();
        let fs: Vec<_> = (0..1_000_000).map(|n| pool.submit(Inc(n))).collect();
        let ts = t.elapsed(); let cs = cpu() - c;
        let mut s = 0; for f in fs { s += f.result().unwrap(); }
        best = best.min(t.elapsed().as_nanos());
        if s != 500000500000 { panic!() }
        println!("submit {:?} total {:?}  cpu main submit {} all {}  process {}", ts, t.elapsed(), cs/1_000_000, (cpu()-c)/1_000_000, (pcpu()-p)/1_000_000);
    }
    println!("best {}", best/1_000_000);
}
