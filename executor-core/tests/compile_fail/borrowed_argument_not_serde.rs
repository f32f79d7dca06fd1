use executor_core::job;

#[derive(Clone)]
struct Handle(u64);

#[job]
fn read(handle: &Handle, handles: &[Handle]) -> u64 {
    handle.0 + handles.len() as u64
}

fn main() {}
