use std::rc::Rc;

use executor_core::job;

#[job]
async fn wait(text: String) -> usize {
    let text = Rc::new(text);
    std::future::ready(()).await;
    text.len()
}

fn main() {}
