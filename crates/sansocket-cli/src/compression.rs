//! The options of permessage-deflate, the same for every command.

use clap::Args;
use sansocket::deflate::{
    ClientDeflatePolicy, ContextTakeover, DeflateConfig, ServerDeflatePolicy, WindowBits,
};

#[derive(Args, Clone, Debug)]
pub(crate) struct CompressArgs {
    /// Compress messages, if the peer agrees (permessage-deflate, RFC 7692)
    #[arg(long)]
    compress: bool,
    /// Largest window of what the server compresses, 9 to 15 bits
    #[arg(long, value_name = "BITS", requires = "compress", value_parser = parse_bits)]
    server_max_window_bits: Option<WindowBits>,
    /// Largest window of what the client compresses, 9 to 15 bits
    #[arg(long, value_name = "BITS", requires = "compress", value_parser = parse_bits)]
    client_max_window_bits: Option<WindowBits>,
    /// The server compresses each message for itself
    #[arg(long, requires = "compress")]
    server_no_context_takeover: bool,
    /// The client compresses each message for itself
    #[arg(long, requires = "compress")]
    client_no_context_takeover: bool,
    /// How hard to compress, from 0 to 9
    #[arg(long, value_name = "LEVEL", default_value_t = 6, requires = "compress",
        value_parser = clap::value_parser!(u8).range(0..=9))]
    compress_level: u8,
    /// Shortest message to compress, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 512, requires = "compress")]
    compress_threshold: usize,
}

impl CompressArgs {
    /// How a server answers offers. Clients that cannot be limited are taken as they
    /// are.
    pub(crate) fn server_policy(&self) -> Option<ServerDeflatePolicy> {
        let policy = ServerDeflatePolicy::new()
            .window_bits(self.server_max_window_bits.unwrap_or(WindowBits::MAX))
            .context(context(self.server_no_context_takeover))
            .prefer_client_window_bits(self.client_max_window_bits.unwrap_or(WindowBits::MAX))
            .client_context(context(self.client_no_context_takeover));
        self.compress.then_some(policy)
    }

    /// What a client offers. What it asks of the server are wishes.
    pub(crate) fn client_policy(&self) -> Option<ClientDeflatePolicy> {
        let policy = ClientDeflatePolicy::new()
            .window_bits(self.client_max_window_bits.unwrap_or(WindowBits::MAX))
            .context(context(self.client_no_context_takeover))
            .server_window_bits(self.server_max_window_bits.unwrap_or(WindowBits::MAX))
            .server_context(context(self.server_no_context_takeover))
            .fallback();
        self.compress.then_some(policy)
    }

    pub(crate) fn config(&self) -> DeflateConfig {
        DeflateConfig::new().level(self.compress_level).threshold(self.compress_threshold)
    }
}

fn context(drop: bool) -> ContextTakeover {
    if drop { ContextTakeover::Drop } else { ContextTakeover::Keep }
}

fn parse_bits(bits: &str) -> Result<WindowBits, &'static str> {
    let bits = bits.parse().ok().and_then(WindowBits::new);
    bits.ok_or("it must be from 9 to 15")
}
