use executor_core::*;
use executor_thread::ThreadExecutor;
use serde::{Serialize, Deserialize};
use std::time::Instant;
use std::sync::OnceLock;
#[derive(Serialize, Deserialize)]
struct Inc(u64);
impl Job for Inc { type Output = u64; fn start(self) -> Work<u64> { Work::Ready(self.0 + 1) } register_job!(Inc); }
#[derive(Serialize, Deserialize)]
struct Spin(u64);
impl Job for Spin { type Output = u64; fn start(self) -> Work<u64> { let mut x = self.0; for _ in 0..2000 { x = std::hint::black_box(x.wrapping_mul(6364136223846793005).wrapping_add(1)); } Work::Ready(x) } register_job!(Spin); }
#[derive(Serialize, Deserialize)]
struct Fib(u64);
static POOL: OnceLock<ThreadExecutor> = OnceLock::new();
impl Job for Fib { type Output = u64; fn start(self) -> Work<u64> { 
  if self.0 < 2 { return Work::Ready(self.0) }
  let p = POOL.get().unwrap(); let a = p.submit(Fib(self.0-1)); let b = p.submit(Fib(self.0-2));
  Work::Ready(a.result().unwrap() + b.result().unwrap()) } register_job!(Fib); }
fn main() {
    let pool = ThreadExecutor::new(2).unwrap();
    println!("{}", pool.submit(Inc(1)).result().unwrap());
    for round in 0..3 {
        let t = Instant::now();
        let fs: Vec<_> = (0..1_000_000).map(|n| pool.submit(Inc(n))).collect();
        let ts = t.elapsed();
        let mut s = 0; for f in fs { s += f.result().unwrap(); }
        println!("{round} submit {:?} total {:?} {s}", ts, t.elapsed());
    }
    for _ in 0..3 {
        let t = Instant::now(); let mut s = 0;
        for r in pool.map(Inc, 0..1_000_000) { s += r.unwrap(); }
        println!("map {:?} {s}", t.elapsed());
        let t = Instant::now(); let mut s = 0u64;
        for r in pool.map(Spin, 0..100_000) { s ^= r.unwrap(); }
        println!("map5 {:?} {s}", t.elapsed());
        let t = Instant::now(); let mut s = 0u64;
        for x in 0..100_000 { let Work::Ready(y) = Spin(x).start() else { panic!() }; s ^= y; }
        println!("serial5 {:?} {s}", t.elapsed());
        let t = Instant::now();
        let fs: Vec<_> = (0..100_000).map(|n| pool.submit(Inc(n))).collect();
        let mut s = 0; for f in as_completed(fs) { s += f.result().unwrap(); }
        println!("as_completed {:?} {s}", t.elapsed());
        let t = Instant::now();
        let mut s = 0; for r in pool.map_unordered(Inc, 0..100_000) { s += r.unwrap(); }
        println!("map_unordered 100k {:?} {s}", t.elapsed());
    }
    for sleep in [0, 1] {
        let mut v: Vec<_> = (0..2000).map(|n| { if sleep > 0 { std::thread::sleep(std::time::Duration::from_millis(1)); } let t = Instant::now(); pool.submit(Inc(n)).result().unwrap(); t.elapsed() }).collect();
        v.sort();
        println!("rt sleep {sleep} p50 {:?} p99 {:?}", v[1000], v[1980]);
    }
    POOL.set(pool.clone()).unwrap();
    let t = Instant::now();
    println!("fib {:?} {:?}", pool.submit(Fib(20)).result(), t.elapsed());
    println!("{:?}", pool.stats());
}
