// All that the page says, in one place. What the program and the room say comes from them.

/** What each check of the terminal means to somebody who has never heard of it. @type {Record<string, string>} */
const CHECKS = {
  size: "The evidence is no larger than evidence is.",
  form: "The evidence has the form that the hardware gives it.",
  certificates: "It is signed along an unbroken chain of certificates, up to the root named below.",
  signature: "The signature is that of the hardware's own key.",
  "document time": "It is fresh.",
  "report data": "What came beside the evidence is what the hardware vouched for.",
  measurements: "The program in the enclave is the very image that you expect.",
  "server key": "The enclave's key for this connection is the one that the hardware vouched for.",
  nonce: "The evidence answers a question that this program has just thought up.",
  connection: "The evidence belongs to this very connection: nobody sits in between.",
  agreement: "The room works under this agreement, and the hardware has measured it.",
  room: "This is the room's own id, drawn when it began.",
};

export const words = {
  // Around the steps
  skip: "Skip to the content",
  stepsLabel: "Steps",
  steps: {
    evidence: "Evidence",
    agreement: "Agreement",
    upload: "Upload",
    waiting: "Waiting",
    result: "Result",
    samples: "Samples",
    receipt: "Receipt",
  },
  titles: {
    evidence: "Is this the room that you expect?",
    agreement: "What you would agree to",
    upload: "Your table",
    waiting: "How far the room is",
    result: "What the model shows",
    samples: "Synthetic rows",
    receipt: "What was done, with proof",
  },
  /** Of every step but the evidence, when that was refused. */
  stepRefused: "The evidence was refused, so that there is nothing to do here, and nothing is sent.",
  done: "done",
  roomShort: "Room",
  youAre: "you are",
  you: "you",
  modelFile: "Without a room: the model in the file",
  footer: "Served by the program on this machine, to this machine alone.",
  /** @param {string} version */
  version: (version) => `synclave ${version}.`,
  asking: "Asking the program on this machine what it has checked …",
  askingRoom: "Asking the room …",
  noToken:
    "You can read everything here. To act (accept, upload, confirm, download), open the address that the terminal printed: it has this start's token in it.",
  notDone: "Not done.",
  tryAgain: "Try again",
  warnings: "Warnings",
  copy: "Copy",
  /** @param {string} label */
  copyOf: (label) => `Copy: ${label}`,
  copied: "Copied.",
  notCopied: "The browser did not allow it; select the text and copy it.",
  /** @param {number} count @param {number} all */
  shownOf: (count, all) => `The first ${count} of ${all} are shown.`,
  /** @param {number} count @param {number} all */
  columnsShownOf: (count, all) => `The first ${count} of ${all} columns are shown.`,
  /** @param {number} count */
  showMore: (count) => `Show ${count} more`,
  /** @param {number} count */
  others: (count) => ` and ${count} others`,
  or: "or",
  and: "and",
  missing: "missing",
  unknown: "unknown",
  noProgram:
    "The program on this machine does not answer. Is `synclave` still running in its terminal?",
  anotherProgram:
    "What answers at this address is not the program that opened this page, so it was sent nothing. " +
    "If you have started it anew, open the address that it printed then; otherwise close this page.",
  noProofHere:
    "This browser cannot check whether the right program answers here, so nothing is sent. " +
    "Use another browser, or `curl`.",
  streamBroke: "What the room was telling has broken off.",
  /** @param {number} status */
  unexpectedAnswer: (status) =>
    `The answer (HTTP ${status}) is not in the room's form. Look at the terminal in which the program runs.`,

  /** Why nothing can be sent, by the code of what went wrong. @type {Record<string, string>} */
  brokenTitles: {
    "no-program": "The program on this machine has ended or cannot be reached.",
    "another-program": "Another program answers at this address.",
  },
  broken: "The connection to the room is broken.",
  startAgain: "If it has ended, start it again and open the address that it prints then.",
  nothingSent: "Until it is back, this page sends nothing.",
  /** @param {number} seconds */
  retryIn: (seconds) => `Trying again in ${seconds} s.`,
  retrying: "Trying again …",
  tryNow: "Try now",
  end: "End this program",
  /** @param {string} mode */
  endMeans: (mode) =>
    mode === "room"
      ? "This ends the program on this machine, and this page. The room goes on without you."
      : "This ends the program on this machine, and this page.",
  endReally: "End it now",
  ending: "Ending …",
  endedTitle: "You have ended it",
  /** @param {PageState | null} page */
  ended: (page) =>
    page?.agreement?.accepted || page?.mode === "model"
      ? "The program ends, and this address answers no more. Close this page."
      : "You did not accept: the program ends, and nothing of yours was sent. Close this page.",

  // Evidence
  noEvidence: "There is no evidence to show.",
  held: "The evidence holds.",
  heldMeans:
    "Before anything of yours was sent, the program on this machine has made each of these checks. It makes them again for every connection.",
  noHardware: "All checks hold, but no hardware vouches for this room.",
  noHardwareMeans:
    "It is vouched for by a root that was named on the command line, as in a demonstration. Whoever has that root's key can read what is sent: send made-up tables only.",
  refused: "The evidence was refused.",
  refusedMeans: "Nothing of yours was sent, and nothing will be.",
  /** @param {string} check @param {number} code */
  refusalDetail: (check, code) => `Check: ${check}; exit code ${code};`,
  refusedDo:
    "Do not go on by another way. Tell the person who runs the room what is written here, and compare it with what you were given.",
  toAgreement: "Go on to the agreement",
  toEvidence: "Look at the evidence.",
  /** @param {string} time */
  lastCheck: (time) => `Last check: ${time}.`,
  checks: "What was checked",
  /** @param {string} name */
  checkMeans: (name) => CHECKS[name] ?? (/^PCR/.test(name) ? `${name}, in which an agreement is measured, is as this one makes it.` : `The check “${name}” holds.`),
  detail: "Detail",
  /** @param {string} name */
  ofCheck: (name) => `of the check “${name}”`,
  rootIs: "Whose word it rests on:",
  checkAgain: "Check again now",
  checking: "Checking over a fresh connection …",
  compare: "Compare by telephone",
  compareHow:
    "Read the short forms out to somebody whom you know by voice. If one differs, stop. The code holds all ids in full, for a camera.",
  idOf: "Id of",
  readOut: "Read out",
  compareWith: "Compare it with",
  imageId: "The image",
  imageCompare: "what the image's builders publish, or what your own build measures",
  agreementId: "The agreement",
  agreementCompare: "what the other parties see, and what `synclave validate` prints of the two files",
  roomId: "The room",
  roomCompare: "what the other parties see: the same room, not a copy",
  roomUrl: "Address",
  idsInFull: "Ids in full",
  qrLabel: "QR code of the ids of image, agreement and room in full",

  // Agreement
  noAgreement: "No agreement was read.",
  decision: "Your decision",
  decide: "Nothing of yours is sent to the room before you accept. Read what follows first.",
  accept: "Accept this agreement",
  accepting: "Accepting …",
  leave: "Leave",
  leaveMeans: "Leaving ends the program; the room is told nothing.",
  leaveReally: "Leave now",
  leaving: "Leaving …",
  stay: "Stay",
  accepted: "Accepted.",
  /** @param {"option" | "terminal" | "page" | null} by */
  acceptedBy: (by) =>
    ({
      option: "Its hash was named when the program was started.",
      terminal: "You said yes in the terminal.",
      page: "You accepted it on this page.",
      none: "",
    })[by ?? "none"],
  toUpload: "Go on to your table",
  promise: "What is promised",
  dangerous: "Dangerous: a budget this large protects hardly anybody.",
  /** @param {number} epsilon @param {number} delta */
  budget: (epsilon, delta) => `As a formula: epsilon ${epsilon}, delta ${delta}, for everything that leaves the room together.`,
  computed: "What is computed",
  /** @param {string} method */
  computedHow: (method) =>
    `One model is fitted by ${method} to the rows that the tables have in common, joined on the column`,
  peopleUnknown: "The agreement does not say how many people the tables are of.",
  /** @param {string} count */
  people: (count) => `The tables are of about ${count} people, as the agreement states.`,
  /** @param {number} share */
  discovery: (share) => `Up to ${+(100 * share).toPrecision(3)} % of the budget goes into finding out what the agreement does not declare.`,
  /** @param {string} rows @param {number} tests */
  minimumRows: (rows, tests) => `Nothing is trained if fewer than about ${rows} rows meet; that is tested at most ${tests} times, and whether it holds is told to all.`,
  /** @param {string} steps */
  normalised: (steps) => `Before ids are counted and compared: ${steps}.`,
  /** @param {number} hours */
  expiry: (hours) => `Uploads are overwritten by training, and after ${hours} hours without activity.`,
  target: "Made to predict",
  determines: "determines",
  noRowHas: "No row has",
  togetherWith: "together with",
  between: "Between whom",
  compareKeys: "Compare the fingerprints of the keys by telephone.",
  asRole: "as",
  bringsData: "brings data",
  tables: "Which tables",
  /** @param {number} count */
  columnsCount: (count) => (count === 0 ? "all columns, found out under the budget" : `${count} columns and no others`),
  oneRow: "One row an id; a table that repeats an id is refused.",
  /** @param {number} rows */
  rowsPerId: (rows) => `At most ${rows} rows an id; of more, a random choice takes part.`,
  /** @param {string} name */
  columnsOf: (name) => `Columns of ${name}`,
  column: "Column",
  takenFor: "Taken for",
  unknownKind: "as declared in the file",
  /** @param {number} count @param {string} some */
  values: (count, some) => `${count} values: ${some}${count > 12 ? " …" : ""}`,
  /** @param {string} low @param {string} high */
  fromTo: (low, high) => `from ${low} to ${high}`,
  mayBeEmpty: "may be empty",
  hasOther: "anything else counts as `other`",
  leaves: "What leaves the room",
  releasesMean: "Names, number and order of columns count as public.",
  what: "What",
  toWhom: "To whom",
  nobody: "nobody",
  files: "The two files behind",
  filesMean: "The agreement is these two files, byte for byte; its id is their hash:",
  asTerminal: "The agreement as the terminal shows it",
  fileCut: "The rest is left out here; the whole file is at /agreement.",

  // Upload
  uploadLater: "A table can be sent once the evidence holds and the agreement is accepted.",
  bringsNothing: "Under this agreement you bring no table.",
  /** @param {string} status */
  uploadOver: (status) =>
    status === "expired" || status === "failed"
      ? "The room takes no more tables."
      : "All have confirmed. Tables can no longer be changed.",
  toWaiting: "See how far the room is",
  whatWasRead: "What the enclave read of your table",
  onlyYou: "This is told to you alone.",
  /** @param {number} count */
  readWarnings: (count) => (count === 1 ? "One warning: look at it before you confirm" : `${count} warnings: look at them before you confirm`),
  noWarnings: "The enclave has no warnings about your table.",
  rows: "Rows",
  readAs: "Read as",
  ids: "Ids",
  commitment: "Commitment",
  replyGone: "The warnings of the upload are shown in the tab in which it was made. Replace the table to see them again.",
  confirmed: "You have confirmed your table.",
  confirmedMeans: "Until all have confirmed you can take that back.",
  withdraw: "Take my confirmation back",
  withdrawing: "Taking it back …",
  confirming: "Confirming …",
  confirmTitle: "Confirm",
  finalIntro: "When the last party has confirmed, this becomes final:",
  final: [
    "the model is fitted to the tables as they are now, once;",
    "the budget is spent, and cannot be taken back;",
    "the tables are overwritten in the enclave's memory;",
  ],
  confirmsSeen: "your confirmation is for the tables that the others have uploaded now, and lapses if one is replaced.",
  confirmsUnseen: "not all have uploaded: your confirmation is for whatever table the others upload.",
  changedSince: "A table has changed since you said so: look at it again.",
  understood: "I have read this, and this is the right table",
  confirm: "Confirm my table",
  chooseTitle: "Choose your table",
  replaceTitle: "Replace your table",
  chooseHow: "CSV, JSON or Parquet, as they are or compressed. The file goes encrypted into the enclave; the host that runs it cannot read it.",
  dropHere: "Drop a file here, or choose one",
  /** @param {string} size @param {string} most */
  tooLarge: (size, most) => `The file has ${size}; the agreement allows ${most}.`,
  upload: "Upload to the enclave",
  replace: "Replace my table",
  sendingLabel: "Upload",
  /** @param {string} sent @param {string} all @param {string} share */
  sent: (sent, all, share) => `${sent} of ${all} are sent (${share}).`,
  reading: "All is sent. The enclave is reading it …",
  cancel: "Cancel",
  uploadBroke: "The connection broke while the file was sent, so that the room has not taken it. Try again.",
  uploadCancelled: "You cancelled the upload; the room has not taken the file.",
  looking: "Looking at the start of the file, in this browser …",
  notLooked: "The browser shows the start of plain CSV files only. The enclave will say what it read.",
  isWorkbook:
    "This is a workbook or an archive, and the room takes neither: save the table as CSV.",
  isEncoded:
    "This text is not in UTF-8, and the room refuses it unless the agreement names its encoding: " +
    "save it as CSV in UTF-8.",
  /** @param {string} key */
  noKey: (key) => `There is no column \`${key}\`, on which the tables are joined: the room will refuse the file.`,
  /** @param {string} names @param {number} count */
  missingColumns: (names, count) => `Declared in the agreement, and not in the file: ${names}${count > 12 ? ", and others" : ""}.`,
  isKey: "tells whose the row is",
  isDiscovered: "found out under the budget",
  isLeftOut: "not in the agreement: left out",
  beforeUpload: "Before you send it",
  /** @param {number} columns @param {number} rows */
  lookedAt: (columns, rows) => {
    const all = columns === 1 ? "1 column" : `${columns} columns`;
    const some = rows === 1 ? "row" : `${rows} rows`;
    return `${all}, by the first ${some}, which this browser has read by itself.`;
  },
  fileColumns: "Columns of the file",
  takesPart: "Takes part as",
  examples: "Examples",
  empty: "Empty",

  // Waiting
  waitingLater: "The room answers once the evidence holds and the agreement is accepted.",
  phases: {
    awaiting_data: "Waiting for tables: not all parties have uploaded.",
    awaiting_confirmation: "All have uploaded. Waiting for the parties to confirm.",
    training: "All have confirmed. The model is being fitted.",
    trained: "The model is ready.",
    failed: "Training ended without a model. What was uploaded is overwritten.",
    expired: "The parties did nothing for longer than agreed: what was uploaded is overwritten, and the room is closed.",
  },
  toResult: "See the result",
  stage: "Now:",
  stageLabel: "Progress of this stage",
  /** @param {number} made @param {number} left */
  rowTests: (made, left) => `Whether enough rows meet was tested ${made} times; ${left} tests are left.`,
  parties: "The parties",
  party: "Party",
  tableColumn: "Table",
  confirmation: "Confirmation",
  uploaded: "uploaded",
  notUploaded: "not yet",
  hasConfirmed: "confirmed",
  notConfirmed: "not yet",
  commitmentMeans:
    "A commitment changes with every upload and tells nothing about the table. Others can check by it that the receipt is about the same one.",
  fresh: "This page follows the room by itself.",
  notFresh: "This is what was last heard of the room.",
  mayClose: "You may close it and come back: the room goes on without you.",

  // Result
  resultLater: "There is a result when the model is ready.",
  loadingReport: "Loading the model's report …",
  noGuarantee: "No guarantee holds:",
  /** @param {number} columns @param {string} method @param {string} rows @param {string} low @param {string} high */
  cameOut: (columns, method, rows, low, high) =>
    `A model of ${columns} columns, fitted by ${method}. The table has about ${rows} rows: between ${low} and ${high} with 95 % confidence, by noisy counts.`,
  toSamples: "Draw synthetic rows",
  saveReport: "Download the report",
  saveModel: "Download the model",
  inside: "On this page",
  rely: "What not to rely on",
  nothingStandsOut: "Nothing stands out: no column and no relation that was judged is drowned in noise.",
  nothingStandsOutUnmeasured: "Nothing stands out: no column is drowned in noise. This method does not measure its own errors.",
  formulas: "A spreadsheet may take texts for formulas, and run them, of the column",
  relationBetween: "The relation between",
  relationUnknown: ": nothing is known of it at this budget.",
  /** @param {string} bound */
  relationNoise: (bound) => ` may be mostly noise at this budget (error up to ${bound}).`,
  distributions: "How the values are distributed",
  distributionsMean:
    "Released: the counts that the budget paid for, with noise. Synthetic: what rows drawn from the model have on average. Both as shares of the estimated rows.",
  findColumn: "Find a column",
  /** @param {number} found @param {number} all */
  found: (found, all) => `${found} of ${all} columns`,
  released: "released",
  synthetic: "synthetic",
  ofNoise: "95 % of the noise (± beside each figure)",
  /** @param {string} share */
  missingShare: (share) => `missing ${share}`,
  /** @param {string} share */
  otherShare: (share) => `other ${share}`,
  notMeasured: "Never measured: the model has all its values alike.",
  /** @param {string} share */
  noiseShare: (share) => `Noise moves about ${share} of the rows.`,
  columnNoise: "Mostly noise: do not rely on it",
  /** @param {string} column @param {string} values */
  chartLabel: (column, values) => `Distribution of ${column}: ${values}`,
  /** @param {string} label @param {string} figures */
  barInWords: (label, figures) => `${label} ${figures}`,
  /** @param {string} label @param {string} released @param {string} error @param {string} synthetic */
  barTitle: (label, released, error, synthetic) => `${label}: released ${released} ± ${error}, synthetic ${synthetic}`,
  underTenth: "<0.1 %",
  pairs: "How far relations are off",
  noPairs: "No pair of columns was judged.",
  /** @param {string} best */
  pairsMeasured: (best) =>
    `For each pair of columns, how far the model is from the table at most, with 95 % confidence: the share of the rows (in %) that would have to move. The best that this budget can show is ${best}.`,
  pairsFitted:
    "This method does not measure how far its model is from the table. For each pair that it counted: how far the model is from the noisy counts, and these on average from the table, together (in % of the rows). Nothing is said of the other pairs.",
  /** @param {string} count */
  pairsLeftOut: (count) => `Nothing is said of ${count} other relations.`,
  mapLabel: "Map of how far pairs of columns are off; the table below has the same figures",
  mapClasses: ["up to 1.5 times the best possible", "up to 3 times", "up to 6 times", "up to 12 times", "more"],
  nothingKnown: "nothing is known",
  doNotRely: "do not rely on it",
  pointAtMap: "Point at a square to see its pair in words. The worst pairs are in the table below.",
  /** @param {number} most */
  noMap: (most) => `There is no map of more than ${most} columns; the table has the worst pairs first.`,
  worstPairs: "Pairs, the worst first",
  errorUpTo: "Error up to",
  bestPossible: "Best possible",
  judgement: "Judgement",
  /** @param {string} error @param {string} best */
  offBy: (error, best) => `off by up to ${error} (best possible: ${best})`,
  /** @param {string} relation */
  relation: (relation) => `how far the model says they are from independent: ${relation}`,
  kept: "Constraints kept",
  noConstraints: "None were declared.",
  keptMean: "They hold in every synthetic row.",
  spent: "Where the budget went",
  theBudget: "The budget was",
  purpose: "For",
  spends: "Spends",
  shareOfBudget: "Share of rho",
  guaranteed: "What is guaranteed",
  asFormulas: "The same as formulas",

  // Samples
  samplesLater: "Rows can be drawn when the model is ready.",
  loadingColumns: "Loading the columns …",
  samplesMean: "Rows are drawn from the model, not from anybody's table. Draw as many as you like, as often as you like: that costs no budget.",
  howMany: "How many rows, in which form",
  rowsWanted: "Rows",
  format: "Format",
  formats: /** @type {Record<string, string>} */ ({ csv: "CSV", json: "JSON", jsonl: "JSON Lines" }),
  seed: "Seed",
  anySeed: "any",
  safe: "Safe for spreadsheets (an apostrophe before what looks like a formula)",
  /** @param {string} most */
  mostRows: (most) => `At most ${most} rows at once. Without a number: as many as the joined table is estimated to have.`,
  whichRows: "Which rows",
  notFilledIn: "Not filled in: this test counts for nothing yet.",
  addTest: "Only rows of which …",
  andTest: "and …",
  allRows: "all rows",
  conditionText: "The condition, as the room reads it",
  /** @param {number} place */
  testNumber: (place) => `Test ${place}`,
  chooseColumn: "choose a column",
  test: "Test",
  tests: /** @type {Record<string, string>} */ ({
    "=": "is",
    "!=": "is not",
    "<=": "at most",
    ">=": "at least",
    in: "is one of",
    between: "between",
    "is missing": "is missing",
    "is not missing": "is not missing",
  }),
  value: "Value",
  chooseValue: "choose a value",
  severalValues: "Values (several with Ctrl or Shift)",
  from: "from",
  to: "to",
  remove: "Remove",
  /** @param {number} place */
  removeTest: (place) => `Remove test ${place}`,
  /** @param {number} count */
  preview: (count) => `Preview of ${count} rows`,
  previewRows: "Rows of the preview",
  drawing: "Drawing rows …",
  previewDrawn: "Drawn for this preview alone; a download draws others.",
  /** @param {string} share */
  shareOfModel: (share) => `${share} of the model's rows are of this kind. Where that is little, they rest on little of the data.`,
  drawAgain: "Draw others",
  download: "Download the rows",
  downloading: "Asking for the download …",
  downloadStarted: "The browser is saving it, and shows how far that is.",
  sameElsewhere: "The same without this page",
  curlLine: "The request for curl",
  pythonLines: "The request in Python",
  tokenNeeded: "The program was started with --token: TOKEN is the token in the address that the terminal printed.",

  // Receipt
  receiptLater: "There is a receipt when the model is ready.",
  receiptLater2: "Keep it with the model: it can be verified at any time by `synclave verify-receipt`, without the room.",
  verify: "Verify the receipt",
  verifying: "The program on this machine is verifying it …",
  downloadReceipt: "Download the receipt",
  verified: "Verification of the receipt",
  ownCommitment: "The commitment of your table",
  commitmentSame: "the same as at your upload",
  commitmentSameAsRoom: "the same as the room tells you now; the upload was made in another tab",
  commitmentOther:
    "NOT the one that you uploaded in this tab; unless you have replaced it elsewhere, ask why",
  commitmentNone: "the receipt names no table of yours",
  /** What a check means, by the word that its line begins with. @type {Record<string, string>} */
  receiptChecks: {
    size: "The evidence is no larger than evidence is.",
    form: "The evidence has the form that the hardware gives it.",
    certificates: "It is signed along an unbroken chain of certificates, up to the root you trust.",
    signature: "The signature is that of the hardware's own key.",
    measurements: "The program that computed is the very image that you expect.",
    text: "What the receipt says is what the hardware has vouched for, word for word.",
    ledger: "All that was spent of the budget adds up, and is no more than was agreed.",
    agreement: "It worked under the agreement that you accepted.",
    room: "It is this room's receipt, and no other's.",
  },
  receiptHolds: "The receipt holds.",
  receiptHoldsMeans: "It was checked in the program on this machine, by the code of `synclave verify-receipt`.",
  receiptFails: "The receipt does not hold.",
  holds: "holds",
  notCompared: "not compared",
  receiptAbout: "What this one says",
  receiptMeansTitle: "What a receipt says",
  receiptMeans: [
    "which image computed, under which agreement, in which room;",
    "to which tables the parties were committed: yours among them, by the commitment that you were told;",
    "how every part of the budget was spent, and that the sums hold;",
    "which model came out, by its hash; and that the hardware vouches for all of this.",
  ],
};
