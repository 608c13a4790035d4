import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { filesSource } from '../../src/sources/files/source.ts';

// Captures a folder as whoever runs it, and prints what it saw.
const [, , path = '.', options = '{}'] = process.argv;
const source = filesSource({
  name: 'data',
  path,
  exclude: [],
  defaultExcludes: true,
  oneFileSystem: true,
  xattrs: false,
  ...(JSON.parse(options) as object),
});
const capture = await source.capture(startRun({ clock: systemClock }));
const paths: string[] = [];
for await (const entry of capture.entries) paths.push(entry.path);
const { problems, expectations } = await capture.finish();
console.log(JSON.stringify({ paths, problems, rows: expectations?.tables[0]?.rows }));
