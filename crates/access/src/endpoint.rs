//! What the room serves: each path, its methods, and who it is for where the agreement does not
//! say.

/// Who a path is for when `service.yaml` does not list it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Data providers, always: a listing can only confirm it. The paths that change the room are
    /// for this audience, and no others are.
    OnlyProviders,
    /// Data providers, unless the agreement gives the path to other roles: what was made of the
    /// data.
    Providers,
    /// Every registered user: what the room is and how far it has come, nothing made of the data.
    Registered,
}

/// Makes the enum and all that is known of its variants from one table, so that a row cannot be
/// forgotten anywhere.
macro_rules! endpoints {
    ($($(#[$doc:meta])* $name:ident: $($method:ident)|+ $path:literal for $audience:ident;)*) => {
        /// One path of the room.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Endpoint { $($(#[$doc])* $name,)* }

        impl Endpoint {
            /// All of them, in the order of the table.
            pub const ALL: [Endpoint; [$($path),*].len()] = [$(Endpoint::$name),*];

            /// The path, exactly as requested.
            pub fn path(self) -> &'static str {
                match self { $(Endpoint::$name => $path,)* }
            }

            /// The methods it answers, in upper case.
            pub fn methods(self) -> &'static [&'static str] {
                match self { $(Endpoint::$name => &[$(stringify!($method)),+],)* }
            }

            /// Who it is for when the agreement does not list it.
            pub fn audience(self) -> Audience {
                match self { $(Endpoint::$name => Audience::$audience,)* }
            }
        }
    };
}

endpoints! {
    /// Takes the table of the party that sends it.
    UploadData: POST "/upload_data" for OnlyProviders;
    /// Confirms the tables as they are now.
    ConfirmData: GET | POST "/confirm_data" for OnlyProviders;
    /// Takes the confirmation back.
    WithdrawConfirmation: POST "/withdraw_confirmation" for OnlyProviders;
    /// Draws rows from the model.
    Samples: GET "/samples" for Providers;
    /// Returns the columns of the caller's table, or of the others'.
    Columns: GET "/columns" for Providers;
    /// Returns the model's file.
    Model: GET "/model" for Providers;
    /// Returns the quality report.
    Report: GET "/report" for Providers;
    /// Returns the formats of samples.
    Formats: GET "/formats" for Registered;
    /// Returns what was agreed, for programs.
    Details: GET "/details" for Registered;
    /// Returns the status as a sentence.
    ModelStatus: GET "/model_status" for Registered;
    /// Returns how far the room has come.
    Status: GET "/status" for Registered;
    /// Streams each status as it changes.
    Events: GET "/events" for Registered;
    /// Returns the agreement's two files.
    Agreement: GET "/agreement" for Registered;
    /// Returns the receipt, signed by the platform.
    Receipt: GET "/receipt" for Registered;
    /// Returns that the room answers.
    Healthz: GET "/healthz" for Registered;
    /// Returns the description of all these paths.
    OpenApi: GET "/openapi.json" for Registered;
}

impl Endpoint {
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

    #[test]
    fn a_path_that_takes_anything_but_get_changes_the_room() {
        for endpoint in Endpoint::ALL {
            let only_reads = endpoint.methods() == ["GET"];
            assert_eq!(endpoint.changes_the_room(), !only_reads, "{endpoint:?}");
        }
    }
}
