//! Which gateway is meant, and what is shown there: the same words for every verb.

use std::path::PathBuf;

use crate::model::token::Mark;

const HEADING: &str = "Which gateway";

#[derive(Clone, Debug, Default, clap::Args)]
pub struct Place {
    /// Where the daemon of this machine listens [default: as its settings say]
    #[arg(long, global = true, value_name = "PATH", help_heading = HEADING)]
    pub socket: Option<PathBuf>,
    /// Another machine: https://HOST:PORT [env: DMGW_URL]
    #[arg(long, global = true, value_name = "URL", help_heading = HEADING)]
    pub url: Option<String>,
    /// Who vouches for it, in PEM [env: DMGW_CA; default: whom this machine trusts]
    #[arg(long, global = true, value_name = "FILE", help_heading = HEADING)]
    pub ca: Option<PathBuf>,
    /// Or the mark of its certificate, as dmgw status there tells it [env: DMGW_FINGERPRINT]
    #[arg(long, global = true, value_name = "MARK", help_heading = HEADING)]
    pub fingerprint: Option<Mark>,
    /// A file with the token to show, for your eyes only [env, with --url: DMGW_TOKEN]
    #[arg(long, global = true, value_name = "FILE", help_heading = HEADING)]
    pub token_file: Option<PathBuf>,
    /// A certificate to show to a gateway far away, in PEM
    #[arg(long, global = true, value_name = "FILE", help_heading = HEADING)]
    pub client_certificate: Option<PathBuf>,
    /// Its key, in PEM
    #[arg(long, global = true, value_name = "FILE", help_heading = HEADING)]
    pub client_key: Option<PathBuf>,
}
