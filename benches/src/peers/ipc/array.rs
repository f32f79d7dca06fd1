//! How the elements of arrays are measured: by their places, as programs reach them, the same for ours and for the floor.

use std::hint::black_box;
use std::ops::DerefMut;

use bytemuck::{Pod, Zeroable};

use super::Accesses;
use crate::outcome::{Outcome, check_sum};
use crate::samples::nanos_per_item;

/// How often all elements are reached: the median of so many times counts.
const TIMES: usize = 25;

/// An element of two numbers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub(crate) struct Point {
    x: u64,
    y: u64,
}

/// Measures arrays of zeros.
pub(crate) fn measure(
    numbers: &mut impl DerefMut<Target = [u64]>,
    points: &mut impl DerefMut<Target = [Point]>,
) -> Outcome<Accesses> {
    let count = numbers.len() as u64;
    let update = nanos_per_item(TIMES, count, || {
        raise(black_box(&mut *numbers));
        Ok(())
    })?;
    let sum = nanos_per_item(TIMES, count, || check_sum(sum(black_box(&*numbers)), TIMES as u64 * count))?;
    let count = points.len() as u64;
    let points_update = nanos_per_item(TIMES, count, || {
        move_all(black_box(&mut *points));
        Ok(())
    })?;
    let points_sum = nanos_per_item(TIMES, count, || check_sum(sum_of(black_box(&*points)), 3 * TIMES as u64 * count))?;
    Ok(Accesses { sum, update, points_sum, points_update })
}

#[inline(never)]
fn sum(numbers: &impl DerefMut<Target = [u64]>) -> u64 {
    (0..numbers.len()).map(|place| numbers[place]).sum()
}

#[inline(never)]
fn raise(numbers: &mut impl DerefMut<Target = [u64]>) {
    for place in 0..numbers.len() {
        numbers[place] += 1;
    }
}

#[inline(never)]
fn sum_of(points: &impl DerefMut<Target = [Point]>) -> u64 {
    (0..points.len()).map(|place| points[place].x + points[place].y).sum()
}

#[inline(never)]
fn move_all(points: &mut impl DerefMut<Target = [Point]>) {
    for place in 0..points.len() {
        points[place].x += 1;
        points[place].y += 2;
    }
}
