//! Places for connections, shared out fairly among those who connect.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::table::{Origin, Table};

/// How many connections there may be at once.
#[derive(Clone, Copy, Debug)]
pub struct PlaceLimits {
    /// Connections of all clients together.
    pub connections: usize,
    /// Connections of one client: one IPv4 address, or one /64 network of IPv6.
    pub of_one_client: usize,
    /// Connections that are not settled.
    pub unsettled: usize,
}

/// Why there is no place: every connection that could give way is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// All places are taken.
    Everyone,
    /// All places of this client are taken.
    Client,
}

/// Places for connections. A connection begins unsettled, and is settled once its client has shown
/// that it has a right to it.
///
/// While there are too many, unsettled connections are displaced and settled ones are not. The one
/// to go belongs to the network (/24 of IPv4, /48 of IPv6) with the most unsettled connections, and
/// there to the client with the most. Of that client's connections it is the one that has come
/// least far, and of those the oldest; among clients with as many, the oldest. So whoever has one
/// connection keeps it while other networks have two, however many connect and however often they
/// come back.
#[derive(Debug)]
pub struct Places {
    limits: PlaceLimits,
    slots: Arc<Semaphore>,
    table: Mutex<Table>,
}

/// The place of one connection; it is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    number: u64,
    displaced: Arc<Notify>,
    slot: Option<OwnedSemaphorePermit>,
}

impl Places {
    /// Places within `limits`, all of them free.
    pub fn new(limits: PlaceLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            slots: Arc::new(Semaphore::new(limits.connections)),
            table: Mutex::default(),
        })
    }

    /// A place for a connection from `address`; one whose address is not known, or not yet, counts
    /// as a client of its own. Where another one has to give way, this waits until it has gone, so
    /// that there are never more than [`PlaceLimits::connections`]: call it before accepting the
    /// next.
    ///
    /// # Errors
    /// [`Full`], where no unsettled connection is left to give way.
    pub async fn enter(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Place, Full> {
        let displaced = Arc::new(Notify::new());
        // Counted before it waits: two that come at once must not both find the last place free.
        let mut place = Place {
            places: Arc::clone(self),
            number: self
                .table()
                .insert(address.map(Origin::from_address), Arc::clone(&displaced)),
            displaced,
            slot: None,
        };
        // On a refusal `place` is dropped, and leaves the table again.
        self.make_room(place.number)?;
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        place.slot = Some(slot.expect("the semaphore is never closed"));
        Ok(place)
    }

    /// How many connections there are, those that have yet to go included.
    pub fn open(&self) -> usize {
        self.limits.connections - self.slots.available_permits()
    }

    /// Completes when there are none. Nobody may enter meanwhile.
    pub async fn emptied(&self) {
        let all = u32::try_from(self.limits.connections).unwrap_or(u32::MAX);
        drop(self.slots.acquire_many(all).await);
    }

    /// Displaces what is too much now that `newest` is there, which counts but is not displaced
    /// itself.
    fn make_room(&self, newest: u64) -> Result<(), Full> {
        // The client first: a crowd of one client must not cost another network a connection.
        let mut table = self.table();
        let of_client = table.connections_beside(newest) > self.limits.of_one_client;
        if of_client && !table.displace_beside(newest) {
            return Err(Full::Client);
        }
        // No room at all, and no unsettled connection to give way: settled ones are never closed
        // for a newcomer.
        if table.connections() > self.limits.connections && !table.displace_heaviest(newest) {
            return Err(Full::Everyone);
        }
        // Never a refusal: the newest stays, so that a crowd of silent connections cannot keep
        // others out.
        if table.unsettled() > self.limits.unsettled {
            table.displace_heaviest(newest);
        }
        Ok(())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Counts the connection as one from `address` from now on: whoever relayed it has said so.
    ///
    /// # Errors
    /// [`Full::Client`].
    pub fn identify(&self, address: IpAddr) -> Result<(), Full> {
        let origin = Origin::from_address(address);
        let mut table = self.places.table();
        // A crowd behind a load balancer shows only now, so that room is made anew.
        table.change(self.number, |open| open.origin = origin);
        drop(table);
        self.places.make_room(self.number)
    }

    /// Says that the connection has come a step further than others of its client.
    pub fn advance(&self) {
        let mut table = self.places.table();
        table.change(self.number, |open| open.steps += 1);
    }

    /// Settles the connection: from now on it is not displaced.
    pub fn settle(&self) {
        let mut table = self.places.table();
        table.change(self.number, |open| open.settled = true);
    }

    /// Completes when the connection is displaced; its task then drops everything that belongs to
    /// it.
    pub async fn displaced(&self) {
        self.displaced.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.table().remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn places(connections: usize, of_one_client: usize, unsettled: usize) -> Arc<Places> {
        Places::new(PlaceLimits {
            connections,
            of_one_client,
            unsettled,
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    async fn enter(places: &Arc<Places>, address: &str) -> Place {
        places.enter(Some(ip(address))).await.unwrap()
    }

    async fn is_displaced(place: &Place) -> bool {
        timeout(Duration::from_millis(1), place.displaced())
            .await
            .is_ok()
    }

    /// Which of `held` are displaced, dropped as their tasks would drop them.
    async fn displaced(held: &mut Vec<(&'static str, Place)>) -> Vec<&'static str> {
        let mut gone = Vec::new();
        for (name, place) in std::mem::take(held) {
            match is_displaced(&place).await {
                true => gone.push(name),
                false => held.push((name, place)),
            }
        }
        gone
    }

    #[tokio::test(start_paused = true)]
    async fn the_heaviest_clients_oldest_connection_gives_way() {
        let places = places(100, 10, 4);
        let mut held = Vec::new();
        for (name, address) in [
            ("genuine", "192.0.2.1"),
            ("other", "198.51.100.1"),
            ("old", "203.0.113.1"),
            ("new", "203.0.113.1"),
        ] {
            held.push((name, enter(&places, address).await));
        }
        for expected in ["old", "new", "third"] {
            let newest = enter(&places, "203.0.113.1").await;
            assert_eq!(displaced(&mut held).await, [expected]);
            held.push((if expected == "old" { "third" } else { "more" }, newest));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_keeps_a_client_out_by_coming_back() {
        let places = places(64, 32, 16);
        let genuine = enter(&places, "192.0.2.1").await;
        let mut crowd = Vec::new();
        for number in 0..10_000_u32 {
            let address = Ipv4Addr::from(0x0a00_0000 | (number % 8));
            crowd.push(("crowd", places.enter(Some(address.into())).await.unwrap()));
            if crowd.len() > 16 {
                displaced(&mut crowd).await;
            }
        }
        assert!(!is_displaced(&genuine).await);
        assert!(places.open() <= 18, "{}", places.open());
    }

    #[tokio::test(start_paused = true)]
    async fn many_addresses_of_one_network_weigh_together() {
        let places = places(100, 10, 4);
        let mut held = Vec::new();
        for (name, address) in [
            ("genuine", "2001:db8:1::1"),
            ("genuine too", "2001:db8:1::1"),
            ("first", "2001:db8:2:1::1"),
            ("second", "2001:db8:2:2::1"),
        ] {
            held.push((name, enter(&places, address).await));
        }
        let _third = enter(&places, "2001:db8:2:3::1").await;
        assert_eq!(displaced(&mut held).await, ["first"]);
        let _fourth = enter(&places, "2001:db8:2:4::1").await;
        assert_eq!(displaced(&mut held).await, ["second"]);
    }

    #[tokio::test(start_paused = true)]
    async fn of_one_client_the_one_that_has_come_least_far_gives_way() {
        let places = places(100, 10, 2);
        let further = enter(&places, "192.0.2.1").await;
        further.advance();
        let silent = enter(&places, "192.0.2.1").await;
        let _newest = enter(&places, "192.0.2.1").await;
        assert!(is_displaced(&silent).await && !is_displaced(&further).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_known_yet_is_not_weighed_with_others() {
        let places = places(100, 2, 4);
        let first = places.enter(None).await.unwrap();
        let second = places.enter(None).await.unwrap();
        let third = places.enter(None).await.unwrap();
        let _fourth = enter(&places, "192.0.2.1").await;
        let fifth = enter(&places, "192.0.2.1").await;
        assert!(!is_displaced(&first).await);
        first.advance();
        drop(fifth);
        let _sixth = places.enter(None).await.unwrap();
        let _seventh = places.enter(None).await.unwrap();
        assert!(is_displaced(&first).await);
        assert!(!is_displaced(&second).await && !is_displaced(&third).await);
    }

    #[tokio::test(start_paused = true)]
    async fn settled_connections_stay_and_fill_the_places() {
        let places = places(3, 2, 3);
        let first = enter(&places, "192.0.2.7").await;
        let second = enter(&places, "::ffff:192.0.2.7").await;
        first.settle();
        second.settle();
        let refused = places.enter(Some(ip("192.0.2.7"))).await;
        assert_eq!(refused.unwrap_err(), Full::Client);
        let third = enter(&places, "192.0.2.8").await;
        third.settle();
        let refused = places.enter(Some(ip("192.0.2.9"))).await;
        assert_eq!(refused.unwrap_err(), Full::Everyone);
        drop(first);
        let _fourth = enter(&places, "192.0.2.7").await;
        assert!(!is_displaced(&second).await && !is_displaced(&third).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clients_own_connection_gives_way_where_it_has_as_many_as_it_may() {
        let places = places(10, 2, 10);
        let first = enter(&places, "2001:db8:0:1::1").await;
        let second = enter(&places, "2001:db8:0:1:ffff::2").await;
        let elsewhere = enter(&places, "2001:db8:0:2::1").await;
        elsewhere.identify(ip("2001:db8:0:1::3")).unwrap();
        assert!(is_displaced(&first).await && !is_displaced(&second).await);
        elsewhere.settle();
        second.settle();
        drop(first);
        let last = enter(&places, "2001:db8:0:2::1").await;
        assert_eq!(last.identify(ip("2001:db8:0:1::1")), Err(Full::Client));
        drop(last);
        assert_eq!(second.identify(ip("2001:db8:0:1::9")), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_enters_waits_until_the_displaced_has_gone() {
        let places = places(2, 2, 2);
        let first = enter(&places, "192.0.2.1").await;
        let second = enter(&places, "192.0.2.2").await;
        let entering = tokio::spawn({
            let places = Arc::clone(&places);
            async move { enter(&places, "192.0.2.3").await }
        });
        assert!(is_displaced(&first).await);
        assert!(!entering.is_finished());
        drop(first);
        let third = entering.await.unwrap();
        assert_eq!(places.open(), 2);
        drop((second, third));
        places.emptied().await;
    }
}
