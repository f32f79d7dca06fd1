//! Requests become jobs here, and their outcomes answers.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use executor_core::{Executor, Job, JobHandle, Stats};
use serde::{Deserialize, Serialize};

use crate::{Pools, jobs};

/// How long an answer may take, unless its request says otherwise.
const DEADLINE_MS: u64 = 10_000;

#[derive(Deserialize)]
pub(crate) struct Primes {
    below: u64,
    deadline_ms: Option<u64>,
}

pub(crate) async fn primes(State(pools): State<Arc<Pools>>, Json(asked): Json<Primes>) -> Response {
    answer(&pools.threads, jobs::primes::job(asked.below), asked.deadline_ms).await
}

#[derive(Deserialize)]
pub(crate) struct Glob {
    pattern: String,
    text: String,
    deadline_ms: Option<u64>,
}

pub(crate) async fn glob(State(pools): State<Arc<Pools>>, Json(asked): Json<Glob>) -> Response {
    answer(&pools.processes, jobs::glob::job(asked.pattern, asked.text), asked.deadline_ms).await
}

/// Hands any job to any pool, if that has room now, and waits for the outcome until the deadline.
async fn answer<J: Job>(pool: &impl Executor, job: J, deadline_ms: Option<u64>) -> Response {
    let limit = Duration::from_millis(deadline_ms.unwrap_or(DEADLINE_MS));
    let future = match pool.try_submit(job) {
        Ok(future) => future,
        Err(refused) => return failure(StatusCode::SERVICE_UNAVAILABLE, refused.error()),
    };
    let _end = EndOnDrop(future.handle());
    match tokio::time::timeout(limit, future).await {
        Ok(Ok(value)) => Json(value).into_response(),
        Ok(Err(error)) => failure(StatusCode::INTERNAL_SERVER_ERROR, error),
        Err(_) => failure(StatusCode::GATEWAY_TIMEOUT, format_args!("there was no outcome within {limit:?}")),
    }
}

/// Ends a job that nobody waits for any more, because its deadline has passed or its client has gone away. To one that is
/// done it does nothing.
struct EndOnDrop(JobHandle);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        // One that waits is cancelled. A process that runs one is killed, a thread asked to stop.
        if !self.0.kill() {
            self.0.request_stop();
        }
    }
}

fn failure(status: StatusCode, why: impl ToString) -> Response {
    #[derive(Serialize)]
    struct Failure {
        error: String,
    }
    let mut response = (status, Json(Failure { error: why.to_string() })).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

#[derive(Serialize)]
pub(crate) struct Counts {
    queued: u64,
    running: u64,
    workers_replaced: u64,
}

#[derive(Serialize)]
pub(crate) struct Overview {
    threads: Counts,
    processes: Counts,
}

pub(crate) async fn stats(State(pools): State<Arc<Pools>>) -> Json<Overview> {
    let counts =
        |Stats { queued, running, worker_restarts, .. }| Counts { queued, running, workers_replaced: worker_restarts };
    Json(Overview { threads: counts(pools.threads.stats()), processes: counts(pools.processes.stats()) })
}
