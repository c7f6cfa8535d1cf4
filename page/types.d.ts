// What the program and the room answer, as far as the page reads it. The room's replies are
// described in crates/service/openapi.json; those under /page/api in docs/src/reference/page.md.

interface PageState {
  mode: "room" | "model";
  version: string;
  address: string;
  /** Name of the model's file, where there is no room. */
  file: string | null;
  room: { url: string; id: string; short: string } | null;
  me: { name: string; role: string } | null;
  evidence: Evidence | null;
  agreement: Agreement | null;
  token_required: boolean;
}

interface Evidence {
  held: boolean;
  checked_at: string;
  platform: string;
  root: string;
  hardware: boolean;
  steps: { name: string; text: string }[];
  measurements: Record<string, string>;
  measurements_short: string;
  refusal: { check: string; code: number; text: string; at: string } | null;
}

interface Agreement {
  sha384: string;
  short: string;
  accepted: boolean;
  accepted_by: "option" | "terminal" | "page" | null;
  summary: Summary;
  text: string[];
  warnings: string[];
  odds: string;
  service_yaml: string;
  runtime_yaml: string;
}

interface Summary {
  method: string;
  epsilon: number;
  delta: number;
  dangerous: boolean;
  guarantee: { presence: string; changing: string; rows: string };
  people: number | null;
  key: string;
  id_normalise: string[];
  minimum_rows: { rows: number; tests: number; share: number } | null;
  rows_per_id: number;
  parties: { name: string; max_rows_per_id: number | null; columns: Declaration | null }[];
  discovery_share: number | null;
  constraints: Constraint[];
  target: string | null;
  expires_after_seconds: number;
  limits: { max_upload_bytes: number; max_rows: number; max_columns: number; max_samples: number };
  users: {
    name: string;
    role: string;
    provides_data: boolean;
    algorithm: string;
    fingerprint: string;
    may: string[];
  }[];
  releases: { what: string; path: string; to: string[] }[];
  warnings: string[];
}

/** A schema: the kind of each column by its name, and keys for the whole table. */
type Declaration = Record<string, any>;

interface Constraint {
  impossible?: Record<string, (string | null)[]>;
  determines?: { from: string; to: string; map: Record<string, unknown> };
}

interface Status {
  status: "awaiting_data" | "awaiting_confirmation" | "training" | "trained" | "failed" | "expired";
  parties: { name: string; uploaded: boolean; confirmed: boolean; commitment: string | null }[];
  progress: { stage: string; tenths: number } | null;
  row_tests?: { minimum_rows: number; made: number; left: number; guarantee?: string };
  you?: {
    name: string;
    commitment: { salt: string; digest: string } | null;
    rows?: number;
    joined?: { estimate: number; between: [number, number]; in_words: string };
  };
}

interface UploadReply {
  message: string;
  rows: number;
  read_as: string;
  ids: { distinct: number; in_words: string };
  warnings: string[];
  commitment: { salt: string; digest: string };
}

interface Marginal {
  columns: string[];
  cells: number;
  sigma: number;
  error: number;
  expected_noise: number;
}

interface MarginalError {
  columns: string[];
  distance: number;
  bound: number | null;
  joint_bound: number | null;
  relation: number | null;
  mostly_noise: boolean;
}

interface ColumnReport {
  name: string;
  kind: string;
  values: number;
  range: [string, string] | null;
  conventions: string[];
  nullable: boolean;
  missing: number | null;
  other: number | null;
  noise: number | null;
  mostly_noise: boolean;
  advice: string | null;
}

interface Bar {
  label: string;
  released: number | null;
  synthetic: number | null;
  error: number;
}

interface ModelReport {
  method: string;
  warnings: string[];
  rows: number;
  row_count: { estimate: number; between: [number, number]; mostly_noise: boolean };
  columns: ColumnReport[];
  two_way: Marginal[];
  errors: { best_possible: number; marginals: MarginalError[]; left_out: number } | null;
  formulas?: { column: string; texts: string[] }[];
  distributions?: { column: string; values: Bar[] | null }[];
  constraints?: Constraint[];
  spent?: { budget: string; groups: { purpose: string; spends: number; share: number }[] };
  guarantees?: { odds: string; formula: string }[];
  danger?: string | null;
}

interface Columns {
  user: string;
  columns: string[];
  rows: string[][];
}

// What the files of the page hand to each other.

interface Store {
  page: PageState | null;
  status: Status | null;
  problem: Error | null;
  /** How the room's events stand: `retryAt` is when the next attempt is made. */
  live: { broken: import("./api.js").Problem; retryAt: number } | null;
  /** The table on its way, which can be cancelled, or why it did not arrive. */
  sending: Sending | null;
  ended: boolean;
}

interface Sending {
  file: File;
  sent: number;
  all: number;
  cancel: (() => void) | null;
  problem: Error | null;
}

interface StartColumn {
  name: string;
  examples: string[];
  empty: number;
}

/** Why the browser does not show the start of a file. */
interface NotShown {
  not: "workbook" | "encoding" | "other";
}

interface FileStart {
  separator: string;
  columns: StartColumn[];
  rows: number;
}

/** What a column's values are, for whoever builds a condition. */
interface SampleColumn {
  name: string;
  ordered: boolean;
  range: [string, string] | null;
  values: string[];
}

/** A test of a condition: `column` `test` `values`. */
interface Test {
  column: string;
  test: string;
  values: string[];
}

/** How far one pair of columns is off; null where nothing is known. */
interface PairError {
  /** Their positions, ascending. */
  columns: [number, number];
  error: number | null;
  best: number;
  relation: number | null;
  unreliable: boolean;
}
