import { renderSVG } from 'uqr';
import { type Share, shareCode, shareLines } from './share.ts';
import { type Vouched, vouchedLine } from './vouched.ts';

/** What a sheet says besides the share. */
export interface SheetFacts {
  /** The system whose backups the key opens. */
  readonly system: string;
  /** `age1…`: which key it is. */
  readonly recipient: string;
  /** Who keeps the sheet; an empty line to fill in when absent. */
  readonly holder?: string;
  /** Whose restore points the key opens. */
  readonly vouched: readonly Vouched[];
}

/** The sheet as text: `lifeboat keys combine` reads it as it is. */
export function sheetText(share: Share, facts: SheetFacts): string {
  const { title, about, use } = wordsOf(share, facts);
  const lines = shareLines(share).map((line, at) => `  ${at + 1}: ${line}`);
  return `${[title, '', ...about, '', ...lines, '', ...use].join('\n')}\n`;
}

/** The same to be printed, with a QR code. It loads nothing and runs nothing. */
export function sheetHtml(share: Share, facts: SheetFacts): string {
  const { title, about, use } = wordsOf(share, facts);
  const paragraphs = (lines: readonly string[]) => lines.map((line) => `<p>${escaped(line)}</p>`).join('\n');
  const rows = shareLines(share).map((line, at) => `<tr><th>${at + 1}:</th><td>${line}</td></tr>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escaped(title)}</title>
<style>
@page { size: A4; margin: 20mm; }
body { font: 11pt/1.45 sans-serif; max-width: 170mm; margin: 2em auto; color: #000; background: #fff; }
h1 { font-size: 16pt; }
table { font: 15pt/1.8 monospace; border: 1px solid #000; padding: 3mm 6mm; margin: 6mm 0; }
th { font-weight: normal; padding-right: 4mm; }
svg { width: 55mm; height: 55mm; float: right; margin-left: 6mm; }
</style>
</head>
<body>
<h1>${escaped(title)}</h1>
${renderSVG(shareCode(share), { ecc: 'M', border: 4 })}
${paragraphs(about)}
<table>
${rows.join('\n')}
</table>
${paragraphs(use)}
</body>
</html>
`;
}

function wordsOf(share: Share, { system, recipient, holder, vouched }: SheetFacts) {
  const { number, total, threshold, set, madeMs } = share;
  const others = threshold - 1;
  return {
    title: `LIFEBOAT SHARE ${number} of ${total}: backups of ${system}`,
    about: [
      `Kept by: ${holder ?? '________________________________'}`,
      `Made: ${new Date(madeMs).toISOString().slice(0, 16).replace('T', ' ')} UTC. Set: ${set}.`,
      `Key: ${recipient}`,
      ...vouched.map(vouchedLine),
      `This sheet and any ${others} of the other ${total - 1} give back the private key that opens these backups. Alone it opens nothing.`,
      'Keep it apart from the others, and from computers. If it is lost or was seen by somebody, say so: a new key is made.',
    ],
    use: [
      `When it is needed: bring ${threshold} sheets together, on a machine with Lifeboat, and run`,
      '  lifeboat keys combine --into key.txt',
      'It asks for the five lines of each sheet and says at once which line is mistyped. Files work too, as does what the',
      'QR code holds, saved as a file:  lifeboat keys combine --into key.txt share-1.txt share-2.txt …',
      'Then:  lifeboat restore … --identity key.txt    (or, without Lifeboat, rescue.sh with age and zstd)',
      'Shares also open backups directly, without a key file:  lifeboat restore … --identity share-1.txt --identity share-2.txt …',
    ],
  };
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
