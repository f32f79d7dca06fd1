//! How do jobs change data that the program has, instead of a copy? The data is in shared memory: an array of structs
//! with a lock, which jobs square part by part, and numbers that need no lock, as they are atomics.
//!
//! Run it with `cargo run --release -p examples --bin points`; add `--no-default-features --features process` to swap the
//! backend.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};

use bytemuck::{Pod, Zeroable};
use executor_core::{Executor, job};
use executor_ipc::{SharedArray, SharedValue};

/// Plain data: any bytes are a point, so that no process can break another by what it writes there.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Point {
    x: f64,
    y: f64,
}

/// Counts the points in the quadrant of each and all of them together, and squares them.
#[job]
fn square(
    points: SharedArray<Point>,
    quadrants: SharedArray<AtomicU32>,
    squared: SharedValue<AtomicU32>,
) -> Result<(), String> {
    // An error says that somebody died while it changed points, so that some may be half changed.
    for point in points.lock().map_err(|died| died.to_string())?.iter_mut() {
        let quadrant = match (point.x < 0.0, point.y < 0.0) {
            (false, false) => 0,
            (true, false) => 1,
            (true, true) => 2,
            (false, true) => 3,
        };
        quadrants[quadrant].fetch_add(1, Ordering::Relaxed);
        squared.fetch_add(1, Ordering::Relaxed);
        *point = Point { x: point.x * point.x, y: point.y * point.y };
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = examples::pool(3)?;

    let points = SharedArray::from_slice(&[(1.875, -6.25), (-5.75, 2.0), (2.375, 9.5)].map(|(x, y)| Point { x, y }))?;
    let quadrants = SharedArray::new(4)?; // zeros
    let squared = SharedValue::new(AtomicU32::new(0))?;

    // Each job has a part of the array. A slice is no copy either.
    let part = |index| square::job(points.slice(index..=index), quadrants.clone(), squared.clone());
    for done in pool.map(part, 0..points.len()) {
        done??;
    }

    for Point { x, y } in points.lock().map_err(|died| died.to_string())?.iter() {
        println!("({x}, {y})");
    }
    println!("{} points squared", squared.load(Ordering::Relaxed));
    println!("in the quadrants there were {:?}", quadrants.iter().collect::<Vec<_>>());
    Ok(())
}
