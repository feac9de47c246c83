//! An echo server of tasks: as small as it gets.
//!
//! ```text
//! cargo run -p sansocket-tokio --example echo -- 127.0.0.1:5003
//! cargo run --release -- connect ws://127.0.0.1:5003/
//! ```

use std::error::Error;

use sansocket::Inbox;
use sansocket_tokio::accept;
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5003".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("ws://{}/", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(end) = echo(stream).await {
                eprintln!("{peer}: {end}");
            }
        });
    }
}

/// Echoes until the connection ends; how it did is the error.
async fn echo(stream: TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut socket = accept(stream).await?;
    let mut inbox = Inbox::new();
    loop {
        let message = socket.receive(&mut inbox).await?;
        // Written with the others of the same read, before the next wait.
        socket.feed(message).await?;
    }
}
