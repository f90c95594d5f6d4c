//! Time-outs that give players their chance after the whole process stood still.

use std::time::Duration;

use tokio::time::Instant;

use crate::defaults::STANDSTILL;

/// Waits for `time`. If the whole process stood still meanwhile, waits for a moment more: only now
/// does the server notice what players sent or read in that time.
pub(crate) async fn sleep(time: Duration) {
    let began = Instant::now();
    tokio::time::sleep(time).await;
    if began.elapsed() > time.saturating_add(STANDSTILL) {
        tokio::time::sleep(STANDSTILL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(30);
    const MOMENT: Duration = Duration::from_millis(5);

    #[tokio::test(start_paused = true)]
    async fn time_passes() {
        let began = Instant::now();
        sleep(TIME).await;
        assert!(began.elapsed() <= TIME + MOMENT);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_standstill_there_is_a_moment_more() {
        let began = Instant::now();
        let sleeping = tokio::spawn(sleep(TIME));
        tokio::task::yield_now().await;
        tokio::time::advance(10 * TIME).await;
        sleeping.await.unwrap();
        let after = began.elapsed() - 10 * TIME;
        assert!(after >= STANDSTILL && after <= STANDSTILL + MOMENT);
    }
}
