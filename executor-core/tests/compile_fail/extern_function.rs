use executor_core::job;

#[job]
extern "C" fn called_back(number: i32) -> i32 {
    number
}

fn main() {}
