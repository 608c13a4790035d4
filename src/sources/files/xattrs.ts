import { type BytePath, toBytes } from '../../core/paths.ts';
import { findOnPath } from '../../process/programs.ts';
import { runCommand } from '../../process/run.ts';

export type Xattrs = Readonly<Record<string, string>>;

/** The extended attributes of those of the given absolute paths that have any. */
export type XattrReader = (paths: readonly BytePath[]) => Promise<Map<BytePath, Xattrs>>;

/** More than the attributes of one batch can reasonably be. */
const MAX_OUTPUT_BYTES = 256 << 20;

/**
 * Reads attributes (POSIX ACLs are among them) through getfattr, for Node has no call for them; undefined where it is not
 * installed. One child reads thousands of paths, on another core than ours: 3 µs a path, measured, so they are on by default.
 */
export async function openXattrReader(signal: AbortSignal): Promise<XattrReader | undefined> {
  const [getfattr, xargs] = await Promise.all([findOnPath('getfattr'), findOnPath('xargs')]);
  if (getfattr === undefined || xargs === undefined) return undefined;
  // Through xargs, because arguments of Node's children are text and names of files are bytes.
  const args = ['-0', '-r', getfattr, '--no-dereference', '--dump', '--match=-', '--encoding=hex', '--absolute-names'];
  return async (paths) => {
    const { stdout } = await runCommand(xargs, args, {
      input: toBytes(paths.join('\0')),
      maxStdoutBytes: MAX_OUTPUT_BYTES,
      // A path that vanished, or a file system without attributes, is no failure: getfattr names it and goes on.
      okExitCodes: [0, 123],
      signal,
      dieWithUs: false,
    });
    return parseXattrs(stdout.toString('latin1'));
  };
}

/** Reads what `getfattr --dump --encoding=hex` prints. */
export function parseXattrs(text: string): Map<BytePath, Xattrs> {
  const found = new Map<BytePath, Record<string, string>>();
  let current: Record<string, string> = {};
  for (const line of text.split('\n')) {
    if (line.startsWith('# file: ')) {
      current = {};
      found.set(unquote(line.slice(8)), current);
    } else if (line !== '') {
      const equals = line.indexOf('=0x');
      if (equals < 0) continue;
      current[unquote(line.slice(0, equals))] = Buffer.from(line.slice(equals + 3), 'hex').toString('latin1');
    }
  }
  return found;
}

function unquote(text: string): string {
  return text.replace(/\\([0-3][0-7]{2})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
