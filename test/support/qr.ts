import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from './temp.ts';

const run = promisify(execFile);

/** The square of a drawing that a rectangle covers, in the drawing's own units. */
interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly black: boolean;
}

/** What a QR code in an HTML page says to zbar, a reader that knows nothing of who drew it. */
export async function readCode(html: string): Promise<string> {
  const picture = join(await temporaryFolder(), 'code.pgm');
  await writeFile(picture, drawn(html));
  const { stdout } = await run('zbarimg', ['--quiet', '--raw', picture]);
  return stdout.replace(/\n$/, '');
}

/**
 * The page's SVG as a printer would put it on paper, as a PGM. Of SVG this knows only what the sheets use, and fails at anything
 * else: what it left out could be what makes the code unreadable.
 */
function drawn(html: string): Buffer {
  const svg = /<svg[^>]*>.*?<\/svg>/s.exec(html)?.[0] ?? '';
  const [whole, units] = /^<svg xmlns="[^"]*" viewBox="0 0 (\d+) \1">/.exec(svg) ?? [];
  if (whole === undefined) throw new Error(`no square drawing begins with ${svg.slice(0, 80)}`);
  const rectangles = [...svg.slice(whole.length, -'</svg>'.length).matchAll(/<.*?>/gs)].flatMap(([tag]) =>
    shapesOf(tag),
  );
  const size = dotsOnPaper(html);
  const picture = Buffer.alloc(size * size, 255);
  const dotAt = (unit: number) => Math.round((unit * size) / Number(units));
  for (const { x, y, width, height, black } of rectangles) {
    for (let row = dotAt(y); row < dotAt(y + height); row++) {
      picture.fill(black ? 0 : 255, row * size + dotAt(x), row * size + dotAt(x + width));
    }
  }
  return Buffer.concat([Buffer.from(`P5 ${size} ${size} 255\n`), picture]);
}

/** The width that the page's style gives the drawing, at the 300 dots an inch of an office printer. */
function dotsOnPaper(html: string): number {
  const [, width, height] = /^svg \{ width: (\d+)mm; height: (\d+)mm;/m.exec(html) ?? [];
  if (width === undefined || width !== height) throw new Error('the style gives the drawing no square place');
  return Math.round((Number(width) / 25.4) * 300);
}

function shapesOf(tag: string): Rectangle[] {
  const [, whiteWidth, whiteHeight] = /^<rect fill="white" width="(\d+)" height="(\d+)"\/>$/.exec(tag) ?? [];
  if (whiteWidth !== undefined) {
    return [{ x: 0, y: 0, width: Number(whiteWidth), height: Number(whiteHeight), black: false }];
  }
  const path = /^<path fill="black" d="((?:M\d+,\d+h\d+v\d+h-\d+z)+)"\/>$/.exec(tag)?.[1];
  if (path === undefined) throw new Error(`this is not drawn here: ${tag.slice(0, 80)}`);
  return [...path.matchAll(/M(\d+),(\d+)h(\d+)v(\d+)h-\3z/g)].map((found) => {
    const [x = 0, y = 0, width = 0, height = 0] = found.slice(1).map(Number);
    return { x, y, width, height, black: true };
  });
}
