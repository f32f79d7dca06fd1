//! The laws of spans on [`InlineExecutor`](executor_core::InlineExecutor), as it is and with everything passed through the codec.

mod plain {
    use executor_core::{BuildError, InlineExecutor};
    use executor_testkit::{Config, Subject, span_laws};

    struct Inline;

    impl Subject for Inline {
        type Pool = InlineExecutor;

        fn build(_: &mut Config) -> Result<InlineExecutor, BuildError> {
            InlineExecutor::builder().build()
        }
    }

    span_laws!(Inline, not_claimed = [cancelled_job_closes_its_span]);
}
