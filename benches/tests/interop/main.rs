//! The adapters talk with `tokio-tungstenite`: as clients and as servers, over TCP and inside
//! TLS, with either side leading the talk and either side closing it.
//!
//! ```text
//! cargo test -p sansocket-benches --features interop --test interop
//! ```

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod blocking;
mod peer;
mod secured;
mod talk;
mod tasks;

use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use secured::{Identity, Transport};
use talk::{Closer, End, Part, Talk};

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// `sansocket-net`
    Blocking,
    /// `sansocket-tokio`
    Tasks,
    /// `tokio-tungstenite`
    Peer,
}

impl Who {
    async fn serve(self, tcp: TcpStream, identity: Identity, part: Part) -> End {
        tcp.set_nodelay(true).unwrap();
        match self {
            Self::Blocking => blocking::serve(tcp, identity, part).await,
            Self::Tasks => tasks::serve(tcp, identity, part).await,
            Self::Peer => peer::serve(tcp, identity, part).await,
        }
    }

    async fn connect(self, uri: String, identity: Identity, part: Part) -> End {
        match self {
            Self::Blocking => blocking::connect(uri, identity, part).await,
            Self::Tasks => tasks::connect(uri, identity, part).await,
            Self::Peer => peer::connect(uri, identity, part).await,
        }
    }
}

/// Both play their parts; how it ended for the client, and for the server.
async fn meet(identity: &Identity, client: (Who, Part), server: (Who, Part)) -> (End, End) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = identity.uri(listener.local_addr().unwrap());
    let serving = async {
        let (tcp, _) = listener.accept().await.unwrap();
        server.0.serve(tcp, identity.clone(), server.1).await
    };
    let meeting =
        async { tokio::join!(client.0.connect(uri, identity.clone(), client.1), serving) };
    timeout(Duration::from_secs(60), meeting).await.expect("they come to an end")
}

/// Ours with the peer, each leading, and each closing with each code.
async fn all_talks(transport: Transport, client: Who, server: Who) {
    let identity = Identity::new(transport);
    for (index, &code) in talk::CODES.iter().enumerate() {
        let talk = if index == 0 { Talk::Whole } else { Talk::Brief };
        for closer in [Closer::Leader, Closer::Follower] {
            let leads = Part::Leads { talk, closer, code };
            let ends = meet(&identity, (client, leads), (server, Part::Follows)).await;
            agree(ends, closer, code);
            let (follower, leader) =
                meet(&identity, (client, Part::Follows), (server, leads)).await;
            agree((leader, follower), closer, code);
        }
    }
}

/// Both saw the code, and who did not close saw the reason.
fn agree((leader, follower): (End, End), closer: Closer, code: u16) {
    assert_eq!([leader.code, follower.code], [code; 2]);
    let told = match closer {
        Closer::Leader => follower,
        Closer::Follower => leader,
    };
    assert_eq!(told.reason, talk::REASON);
}

macro_rules! talks {
    ($($name:ident: $transport:ident, $client:ident to $server:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            all_talks(Transport::$transport, Who::$client, Who::$server).await;
        }
    )*};
}

talks! {
    a_blocking_client_talks_over_tcp: Tcp, Blocking to Peer;
    a_blocking_client_talks_inside_tls: Tls, Blocking to Peer;
    a_blocking_server_talks_over_tcp: Tcp, Peer to Blocking;
    a_blocking_server_talks_inside_tls: Tls, Peer to Blocking;
    a_client_of_tasks_talks_over_tcp: Tcp, Tasks to Peer;
    a_client_of_tasks_talks_inside_tls: Tls, Tasks to Peer;
    a_server_of_tasks_talks_over_tcp: Tcp, Peer to Tasks;
    a_server_of_tasks_talks_inside_tls: Tls, Peer to Tasks;
    the_adapters_talk_with_each_other_over_tcp: Tcp, Tasks to Blocking;
    the_adapters_talk_with_each_other_inside_tls: Tls, Blocking to Tasks;
}
