import * as fs from 'node:fs';
import { type Random, seededRandom } from '../../examples/harbor/random.ts';

const KiB = 1024;
const oddNames = ['a\nline', '-rf', 'caf\xc3\xa9', 'not\xff\xfeutf8', 'tab\there', '%41', 'quo\'te"', ' ', 'c\\d', '~'];
/** Around the least, average and most of the profile for files, around read and hole sizes. */
const oddSizes = [0, 1, 64, 255, 256, 1024]
  .flatMap((size) => [size * KiB - 1, size * KiB, size * KiB + 1])
  .filter((size) => size >= 0);

/** A tree that can be changed at random and again; the same for one seed. */
export interface RandomTree {
  /** Adds, changes, removes, renames and links some files. */
  change(times: number): void;
}

export function randomTree(folder: string, seed: number): RandomTree {
  const random = seededRandom(seed);
  const place = (path: string) => Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, 'latin1')]);
  let made = 0;

  const all = (wanted: (stat: fs.Stats) => boolean) => {
    const found: string[] = [];
    const visit = (path: string) => {
      for (const name of fs.readdirSync(place(path), 'latin1').sort()) {
        const child = path === '' ? name : `${path}/${name}`;
        const stat = fs.lstatSync(place(child));
        if (wanted(stat)) found.push(child);
        if (stat.isDirectory()) visit(child);
      }
    };
    visit('');
    return found;
  };
  const files = () => all((stat) => stat.isFile());
  const folders = () => ['', ...all((stat) => stat.isDirectory())];
  const newPath = () => {
    const parent = random.pick(folders());
    const name = random.next() < 0.4 ? `${random.pick(oddNames)}${made++}` : `file${made++}`;
    return parent === '' ? name : `${parent}/${name}`;
  };

  const steps: (() => void)[] = [
    () => fs.writeFileSync(place(newPath()), bytesFrom(random, random.pick(oddSizes))),
    () => fs.writeFileSync(place(newPath()), bytesFrom(random, random.between(0, 3000))),
    () => fs.writeFileSync(place(newPath()), bytesFrom(random, random.between(0, 700 * KiB))),
    () => fs.mkdirSync(place(newPath()), { mode: random.pick([0o700, 0o755, 0o500]) }),
    () => fs.symlinkSync(random.pick(['/etc/passwd', '../up', 'dangling', 'x\xff'].map((to) => to)), place(newPath())),
    () => withFile((file) => fs.linkSync(place(file), place(newPath()))),
    () => withFile((file) => fs.copyFileSync(place(file), place(newPath()))),
    () => withFile((file) => fs.chmodSync(place(file), random.pick([0o600, 0o4755, 0o444, 0]))),
    () =>
      withFile((file) => fs.utimesSync(place(file), random.between(-1e6, 2e9) + 0.25, random.between(0, 2e9) + 0.5)),
    () => withFile((file) => fs.rmSync(place(file))),
    () => withFile((file) => fs.renameSync(place(file), place(newPath()))),
    () => withFile((file) => fs.appendFileSync(place(file), bytesFrom(random, 100))),
    () => withFile(overwriteMiddle),
    () => makeSparse(place(newPath()), random),
  ];

  function withFile(work: (file: string) => void): void {
    const found = files();
    if (found.length > 0) work(random.pick(found));
  }

  function overwriteMiddle(path: string): void {
    const file = fs.openSync(place(path), 'r+');
    const { size } = fs.fstatSync(file);
    fs.writeSync(file, bytesFrom(random, 50), 0, 50, Math.floor(size / 2));
    fs.closeSync(file);
  }

  return {
    change(times) {
      for (let time = 0; time < times; time++) random.pick(steps)();
    },
  };
}

function makeSparse(path: Buffer, random: Random): void {
  const file = fs.openSync(path, 'wx');
  const size = random.between(1, 4) * 300 * KiB + random.between(0, 5000);
  fs.ftruncateSync(file, size);
  for (let at = random.between(0, 2); at > 0; at--) {
    fs.writeSync(file, bytesFrom(random, 9000), 0, 9000, Math.floor(random.next() * (size - 9000)));
  }
  fs.closeSync(file);
}

export function bytesFrom(random: Random, sizeBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(sizeBytes);
  for (let at = 0; at < sizeBytes; at++) bytes[at] = random.next() * 256;
  return bytes;
}

/** A few files of every kind with some 300 KiB in all: several small packs. */
export function smallTree(folder: string, marker = 'harbor'): void {
  const random = seededRandom(7);
  fs.mkdirSync(`${folder}/invoices/2026`, { recursive: true });
  fs.mkdirSync(`${folder}/empty`, { recursive: true, mode: 0o700 });
  fs.writeFileSync(`${folder}/invoices/2026/0001.pdf`, bytesFrom(random, 150 * KiB));
  fs.writeFileSync(`${folder}/invoices/2026/0002.pdf`, bytesFrom(random, 100 * KiB));
  fs.writeFileSync(`${folder}/invoices/readme`, `${marker}\n`.repeat(2000));
  fs.writeFileSync(`${folder}/nothing`, '');
  fs.writeFileSync(Buffer.from(`${folder}/odd\n\xff`, 'latin1'), bytesFrom(random, 60 * KiB));
  fs.linkSync(`${folder}/invoices/readme`, `${folder}/same`);
  fs.copyFileSync(`${folder}/invoices/2026/0002.pdf`, `${folder}/twin.pdf`);
  fs.symlinkSync('invoices/2026', `${folder}/year`);
  const file = fs.openSync(`${folder}/sparse.img`, 'wx', 0o640);
  fs.writeSync(file, bytesFrom(random, 20 * KiB), 0, 20 * KiB, 512 * KiB);
  fs.ftruncateSync(file, 1024 * KiB);
  fs.closeSync(file);
}
