//! What the room serves: each path, its methods, and who it is for where the agreement does not
//! say.

/// One path of the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /upload_data`
    UploadData,
    /// `GET` or `POST /confirm_data`
    ConfirmData,
    /// `POST /withdraw_confirmation`
    WithdrawConfirmation,
    /// `GET /samples`
    Samples,
    /// `GET /columns`
    Columns,
    /// `GET /model`
    Model,
    /// `GET /report`
    Report,
    /// `GET /formats`
    Formats,
    /// `GET /details`
    Details,
    /// `GET /model_status`
    ModelStatus,
    /// `GET /status`
    Status,
    /// `GET /events`
    Events,
    /// `GET /agreement`
    Agreement,
    /// `GET /receipt`
    Receipt,
    /// `GET /healthz`
    Healthz,
    /// `GET /openapi.json`
    OpenApi,
}

/// Who a path is for when `service.yaml` does not list it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Data providers, always: a listing can only confirm it.
    OnlyProviders,
    /// Data providers, unless the agreement gives the path to other roles: what was made of the
    /// data.
    Providers,
    /// Every registered user: what the room is and how far it has come, nothing made of the data.
    Registered,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Endpoint; 16] = [
        Endpoint::UploadData,
        Endpoint::ConfirmData,
        Endpoint::WithdrawConfirmation,
        Endpoint::Samples,
        Endpoint::Columns,
        Endpoint::Model,
        Endpoint::Report,
        Endpoint::Formats,
        Endpoint::Details,
        Endpoint::ModelStatus,
        Endpoint::Status,
        Endpoint::Events,
        Endpoint::Agreement,
        Endpoint::Receipt,
        Endpoint::Healthz,
        Endpoint::OpenApi,
    ];

    /// The path, exactly as requested.
    pub fn path(self) -> &'static str {
        match self {
            Endpoint::UploadData => "/upload_data",
            Endpoint::ConfirmData => "/confirm_data",
            Endpoint::WithdrawConfirmation => "/withdraw_confirmation",
            Endpoint::Samples => "/samples",
            Endpoint::Columns => "/columns",
            Endpoint::Model => "/model",
            Endpoint::Report => "/report",
            Endpoint::Formats => "/formats",
            Endpoint::Details => "/details",
            Endpoint::ModelStatus => "/model_status",
            Endpoint::Status => "/status",
            Endpoint::Events => "/events",
            Endpoint::Agreement => "/agreement",
            Endpoint::Receipt => "/receipt",
            Endpoint::Healthz => "/healthz",
            Endpoint::OpenApi => "/openapi.json",
        }
    }

    /// The methods it answers, in upper case.
    pub fn methods(self) -> &'static [&'static str] {
        match self {
            Endpoint::UploadData | Endpoint::WithdrawConfirmation => &["POST"],
            Endpoint::ConfirmData => &["GET", "POST"],
            _ => &["GET"],
        }
    }

    /// Who it is for when the agreement does not list it.
    pub fn audience(self) -> Audience {
        match self {
            Endpoint::UploadData | Endpoint::ConfirmData | Endpoint::WithdrawConfirmation => {
                Audience::OnlyProviders
            }
            Endpoint::Samples | Endpoint::Columns | Endpoint::Model | Endpoint::Report => {
                Audience::Providers
            }
            Endpoint::Formats
            | Endpoint::Details
            | Endpoint::ModelStatus
            | Endpoint::Status
            | Endpoint::Events
            | Endpoint::Agreement
            | Endpoint::Receipt
            | Endpoint::Healthz
            | Endpoint::OpenApi => Audience::Registered,
        }
    }

    /// Whether a request can change what the room holds or does: then a browser must not be tricked
    /// into making one.
    pub fn changes_the_room(self) -> bool {
        self.audience() == Audience::OnlyProviders
    }

    /// The endpoint at this path.
    pub fn at(path: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|endpoint| endpoint.path() == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_is_found_at_its_own_path_only() {
        for endpoint in Endpoint::ALL {
            assert_eq!(Endpoint::at(endpoint.path()), Some(endpoint));
            assert_eq!(Endpoint::at(&format!("{}/", endpoint.path())), None);
        }
        assert_eq!(Endpoint::at("/Samples"), None);
        assert_eq!(Endpoint::at(""), None);
    }
}
