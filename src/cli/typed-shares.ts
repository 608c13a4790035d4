import { sentenceOf } from '../core/errors.ts';
import { joinShareLines, readShareLine, SHARE_LINES } from '../keys/share.ts';
import type { NamedShare } from '../keys/split.ts';
import { usageWrong } from './errors.ts';
import type { Output } from './output.ts';
import { startTyping, type Typing } from './passphrase.ts';

/**
 * Asks for shares on the terminal, line by line, until there are enough. A line that is mistyped is asked for again.
 * @throws `interrupted`, `usage-wrong` where there is no terminal
 */
export async function typeShares(out: Output, signal: AbortSignal, command: string): Promise<NamedShare[]> {
  if (!process.stdin.isTTY) {
    throw usageWrong({ what: 'There is no terminal to type shares on: name their files.', command });
  }
  out.note(`Type the five lines of each sheet, without their numbers. 0 and O, 1, I and L are the same.`);
  const shares: NamedShare[] = [];
  using typing = startTyping(signal);
  for (;;) {
    const name = `sheet ${shares.length + 1}`;
    const share = await typeShare(name, out, typing);
    if (share === undefined) continue;
    if (shares.some((one) => one.share.set === share.set && one.share.number === share.number)) {
      out.note(`That is share ${share.number} again: take another sheet.`);
      continue;
    }
    shares.push({ name: `share ${share.number}`, share });
    const threshold = shares[0]!.share.threshold;
    out.note(`Share ${share.number} of ${share.total}, set ${share.set}: ${shares.length} of ${threshold}.`);
    if (shares.length >= threshold) return shares;
  }
}

async function typeShare(name: string, out: Output, typing: Typing): Promise<NamedShare['share'] | undefined> {
  const lines: Buffer[] = [];
  while (lines.length < SHARE_LINES) {
    const line = lines.length + 1;
    const typed = await typing.ask(`${name}, line ${line}: `);
    try {
      lines.push(readShareLine(typed.replace(/^\s*\d\s*[:.)]/, ''), line, name));
    } catch (error) {
      out.note(`${sentenceOf(error)} Once more.`);
    }
  }
  try {
    return joinShareLines(lines, name);
  } catch (error) {
    out.note(`${sentenceOf(error)} Begin this sheet again.`);
    return undefined;
  }
}
