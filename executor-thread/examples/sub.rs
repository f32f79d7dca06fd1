use executor_core::*;
use executor_thread::ThreadExecutor;
use serde::{Serialize, Deserialize};
use std::time::Instant;
#[derive(Serialize, Deserialize)]
struct Inc(u64);
impl Job for Inc { type Output = u64; fn start(self) -> Work<u64> { Work::Ready(self.0 + 1) } register_job!(Inc); }
fn main() {
    let pool = ThreadExecutor::new(2).unwrap();
    let mut best = u128::MAX;
    for _ in 0..std::env::args().nth(1).unwrap().parse::<usize>().unwrap() {
        let t = Instant::now();
        let fs: Vec<_> = (0..1_000_000).map(|n| pool.submit(Inc(n))).collect();
        let ts = t.elapsed();
        let mut s = 0; for f in fs { s += f.result().unwrap(); }
        best = best.min(t.elapsed().as_nanos());
        if s != 500000500000 { panic!() }
        println!("submit {:?} total {:?}", ts, t.elapsed());
    }
    println!("best {}", best/1_000_000);
}
