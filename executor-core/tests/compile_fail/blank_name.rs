use executor_core::{Job, Work, job, register_job};
use serde::{Deserialize, Serialize};

#[job(name = " ")]
fn work() {}

#[derive(Serialize, Deserialize)]
struct ByHand;

impl Job for ByHand {
    type Output = ();

    fn start(self) -> Work<()> {
        Work::Ready(())
    }

    register_job!(ByHand, name = "");
}

fn main() {}
