use executor_core::job;

#[job]
fn serve() -> ! {
    loop {
        std::thread::park();
    }
}

fn main() {}
