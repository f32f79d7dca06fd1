use executor_core::job;

#[job(named = "x")]
unsafe fn all<T>(items: &mut T) -> &T {
    items
}

fn main() {
    // The function itself is still there, and adds no errors of its own.
    unsafe { all(&mut 1_u8) };
}
