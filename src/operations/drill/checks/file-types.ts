/** What the first and last bytes of a file must be, by the type that its name claims. */
export interface FileEnds {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  readonly sizeBytes: number;
}

/** Bytes that are looked at from each end: a ZIP archive's directory may lie that far from its end. */
export const endBytes = 66_000;

type Rule = (file: Ends) => boolean;

interface Ends {
  readonly head: Buffer;
  readonly tail: Buffer;
  readonly sizeBytes: number;
}

const pdf: Rule = ({ head, tail }) =>
  head.subarray(0, 1024).includes('%PDF-') && tail.subarray(-2048).includes('%%EOF');
const png: Rule = ({ head, tail }) => begins(head, '89504e470d0a1a0a') && tail.subarray(-64).includes('IEND');
// Cameras add data after the end of the image, so only its beginning is certain.
const jpeg: Rule = ({ head }) => begins(head, 'ffd8ff');
const gif: Rule = ({ head }) => /^GIF8[79]a/.test(head.toString('latin1', 0, 6));
const webp: Rule = ({ head, sizeBytes }) =>
  head.toString('latin1', 0, 4) === 'RIFF' &&
  head.toString('latin1', 8, 12) === 'WEBP' &&
  head.readUInt32LE(4) + 8 <= sizeBytes;
const zip: Rule = ({ head, tail }) =>
  (begins(head, '504b0304') || begins(head, '504b0506')) && tail.includes(Buffer.from('504b0506', 'hex'));
const gzip: Rule = ({ head, sizeBytes }) => begins(head, '1f8b') && sizeBytes >= 18;
const zstd: Rule = ({ head }) => begins(head, '28b52ffd');
const media: Rule = ({ head }) => head.toString('latin1', 4, 8) === 'ftyp';
const bmp: Rule = ({ head, sizeBytes }) => head.toString('latin1', 0, 2) === 'BM' && head.readUInt32LE(2) <= sizeBytes;
const tiff: Rule = ({ head }) => begins(head, '49492a00') || begins(head, '4d4d002a');
const mp3: Rule = ({ head }) =>
  head.toString('latin1', 0, 3) === 'ID3' || (head[0] === 0xff && ((head[1] ?? 0) & 0xe0) === 0xe0);
const ogg: Rule = ({ head }) => head.toString('latin1', 0, 4) === 'OggS';
const sqlite: Rule = ({ head }) => head.toString('latin1', 0, 16) === 'SQLite format 3\0';

const riff =
  (kind: string): Rule =>
  ({ head }) =>
    head.toString('latin1', 0, 4) === 'RIFF' && head.toString('latin1', 8, 12) === kind;
const starting =
  (hex: string): Rule =>
  ({ head }) =>
    begins(head, hex);
const matroska = starting('1a45dfa3');
/** Text without a form of its own: at least not the page that a server gives instead of a file. */
const text: Rule = ({ head }) => !/^\s*<(!doctype html|html|head)\b/i.test(textOf(head));
const json: Rule = (file) => /^\s*[[{"\d\-tfn]/.test(textOf(file.head));
const xml: Rule = (file) => text(file) && /^\s*</.test(textOf(file.head));
const svg: Rule = (file) => xml(file) && /<svg\b/i.test(textOf(file.head));

function textOf(head: Buffer): string {
  const isWide = begins(head, 'fffe') || begins(head, 'feff');
  return isWide
    ? head.toString('latin1', 2, 2050).replaceAll('\0', '')
    : head.toString('utf8', 0, 2048).replace(/^\ufeff/, '');
}

const rules: Readonly<Record<string, Rule>> = {
  pdf,
  png,
  jpg: jpeg,
  jpeg,
  gif,
  webp,
  zip,
  docx: zip,
  xlsx: zip,
  pptx: zip,
  odt: zip,
  ods: zip,
  epub: zip,
  jar: zip,
  gz: gzip,
  tgz: gzip,
  zst: zstd,
  mp4: media,
  m4a: media,
  mov: media,
  heic: media,
  bmp,
  tif: tiff,
  tiff,
  mp3,
  ogg,
  sqlite,
  csv: text,
  tsv: text,
  json,
  xml,
  svg,
  avif: media,
  heif: media,
  webm: matroska,
  mkv: matroska,
  psd: starting('38425053'),
  wav: riff('WAVE'),
  avi: riff('AVI '),
  flac: starting('664c6143'),
  '7z': starting('377abcaf271c'),
  rar: starting('526172211a07'),
  bz2: starting('425a68'),
  xz: starting('fd377a585a00'),
  ico: starting('00000100'),
  rtf: starting('7b5c7274'),
};

/** The type that a file's name claims and whose bytes we do not know, as it is told; undefined for one that is looked at. */
export function unknownType(name: string): string | undefined {
  const type = typeOf(name);
  return Object.hasOwn(rules, type) ? undefined : type === '' ? 'without an ending' : `.${type}`;
}

function typeOf(name: string): string {
  return /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? '';
}

/** Whether the file is of the type that its name claims; true for types that we do not know. */
export function isWhatItsNameSays(name: string, file: FileEnds): boolean {
  const type = typeOf(name);
  const rule = Object.hasOwn(rules, type) ? rules[type] : undefined;
  if (rule === undefined) return true;
  const view = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return rule({ head: view(file.head), tail: view(file.tail), sizeBytes: file.sizeBytes });
  } catch {
    return false; // shorter than what its rule reads
  }
}

function begins(bytes: Buffer, hex: string): boolean {
  const wanted = Buffer.from(hex, 'hex');
  return bytes.subarray(0, wanted.length).equals(wanted);
}
