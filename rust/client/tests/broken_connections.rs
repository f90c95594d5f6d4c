//! A link whose connections to a played server break.

use std::{net::Ipv4Addr, time::Duration};

use noray_client::{
    ConnectOptions, Connection, ConnectionEvent, DisconnectReason, HostOptions, Link,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, UdpSocket},
    runtime::Handle,
    time::timeout,
};

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that the test plays, and a player that hosts through it.
struct Scene {
    listener: TcpListener,
    registrar: UdpSocket,
    connection: Connection,
    link: Link,
}

impl Scene {
    async fn begin() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let registrar = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let options = ConnectOptions {
            port: listener.local_addr().unwrap().port(),
            ..ConnectOptions::new("127.0.0.1")
        };
        let link = Link::open(&Handle::current());
        link.host(HostOptions {
            enet_port: 1,
            max_clients: 4,
            force_relay: false,
            lan: false,
        });
        let connection = Connection::open(&Handle::current(), options);
        let port = registrar.local_addr().unwrap().port();
        connection.use_link(link.handle(), port).unwrap();
        Self {
            listener,
            registrar,
            connection,
            link,
        }
    }

    async fn accept(&self) -> BufReader<TcpStream> {
        let accepted = timeout(PATIENCE, self.listener.accept()).await;
        BufReader::new(accepted.expect("the player comes").unwrap().0)
    }

    /// Gives the player an identity, and registers its address.
    async fn accept_and_register(&self) -> BufReader<TcpStream> {
        let mut stream = self.accept().await;
        assert_eq!(line(&mut stream).await, "register-host");
        stream
            .write_all(b"set-oid mine\nset-pid secret\n")
            .await
            .unwrap();
        let mut buffer = [0; 64];
        let (length, from) = timeout(PATIENCE, self.registrar.recv_from(&mut buffer))
            .await
            .expect("the player registers")
            .unwrap();
        assert_eq!(&buffer[..length], b"secret");
        self.registrar.send_to(b"OK", from).await.unwrap();
        stream
    }

    /// Waits for the event that `is_wanted` names.
    async fn wait(&mut self, is_wanted: impl Fn(&ConnectionEvent) -> bool) -> ConnectionEvent {
        loop {
            let event = timeout(PATIENCE, self.connection.wait_event()).await;
            let event = event.expect("an event in time").expect("one more event");
            if is_wanted(&event) {
                return event;
            }
        }
    }
}

async fn line(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    timeout(PATIENCE, stream.read_line(&mut line))
        .await
        .expect("a line in time")
        .unwrap();
    line.trim_end().to_owned()
}

fn is_end(event: &ConnectionEvent) -> bool {
    matches!(event, ConnectionEvent::Disconnected(_))
}

/// A full server closed 25 connections, and then the time was over.
#[tokio::test]
async fn a_server_that_closes_at_once_is_not_asked_again_and_again() {
    let mut scene = Scene::begin().await;
    drop(scene.accept().await);
    let ConnectionEvent::Disconnected(reason) = scene.wait(is_end).await else {
        unreachable!()
    };
    assert!(matches!(reason, DisconnectReason::Unanswered), "{reason:?}");
    let sentence = reason.to_string();
    assert!(
        sentence.starts_with("the server closed the connection"),
        "{sentence}"
    );
    let again = timeout(Duration::from_secs(2), scene.listener.accept()).await;
    assert!(again.is_err(), "it was dialled again");
}

/// A server that has read the request before it closes resets nothing.
#[tokio::test]
async fn a_server_that_reads_and_closes_is_told_alike() {
    let mut scene = Scene::begin().await;
    let mut stream = scene.accept().await;
    line(&mut stream).await;
    drop(stream);
    let event = scene.wait(is_end).await;
    assert!(
        matches!(
            event,
            ConnectionEvent::Disconnected(DisconnectReason::Unanswered)
        ),
        "{event:?}"
    );
}

#[tokio::test]
async fn a_server_that_closes_at_once_does_not_end_the_return_to_a_game() {
    let mut scene = Scene::begin().await;
    let first = scene.accept_and_register().await;
    scene
        .wait(|event| matches!(event, ConnectionEvent::Ready(Ok(()))))
        .await;
    drop(first);
    for _ in 0..3 {
        scene
            .wait(|event| matches!(event, ConnectionEvent::Lost(_)))
            .await;
        drop(scene.accept().await);
    }
    assert!(scene.link.is_used());
}

/// The identity was used up with the first new connection: when that broke too, the OpenID that
/// friends had was gone.
#[tokio::test]
async fn an_open_id_is_not_lost_with_a_second_connection_that_breaks() {
    let mut scene = Scene::begin().await;
    let first = scene.accept_and_register().await;
    scene
        .wait(|event| matches!(event, ConnectionEvent::Ready(Ok(()))))
        .await;
    drop(first);
    for attempt in 0..3 {
        let mut stream = scene.accept().await;
        let resumed = line(&mut stream).await;
        assert_eq!(resumed, "resume-host mine secret", "attempt {attempt}");
    }
}
