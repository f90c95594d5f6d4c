//! Time that is over only when players had their chance.

use std::time::Duration;

use tokio::time::Instant;

use crate::defaults::STANDSTILL;

/// Returns after `time`. When the whole process stood still meanwhile, a moment later: what players
/// sent or took in that time is only noticed now.
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
