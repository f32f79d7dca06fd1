use executor_core::job;

#[job]
fn open(path: String) -> Result<u64, std::io::Error> {
    std::fs::metadata(path).map(|data| data.len())
}

#[job]
async fn later() -> std::time::Instant {
    std::time::Instant::now()
}

fn main() {}
