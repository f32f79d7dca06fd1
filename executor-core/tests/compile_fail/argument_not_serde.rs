use executor_core::job;

#[derive(Clone)]
struct Handle(u64);

#[job]
fn read(count: u32, handle: Handle, others: Vec<Handle>) -> u64 {
    u64::from(count) + handle.0 + others.len() as u64
}

fn main() {
    let _ = read::job(1, Handle(1), vec![]);
}
