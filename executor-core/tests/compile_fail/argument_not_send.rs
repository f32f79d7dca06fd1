use std::marker::PhantomData;

use executor_core::job;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Local(PhantomData<*const u8>);

#[job]
fn stay(local: Local) {
    drop(local);
}

fn main() {}
