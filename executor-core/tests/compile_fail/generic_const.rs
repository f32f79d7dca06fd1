use executor_core::job;

#[job]
fn sum<const N: usize>(items: [u64; N]) -> u64
where
    [u64; N]: Sized,
{
    items.into_iter().sum()
}

fn main() {}
