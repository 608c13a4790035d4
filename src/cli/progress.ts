import type { Clock } from '../core/clock.ts';
import { formatDuration, roughDuration } from '../core/duration.ts';
import type { Progress as Counted, Problem, RunEvent } from '../core/run.ts';
import { formatCount, formatSize } from '../core/size.ts';
import { printable } from './output.ts';

/** Shows what a run does: one moving line on a terminal, a line for each step that took its time elsewhere. */
export interface Progress {
  onEvent(event: RunEvent): void;
  /** Removes the moving line, before anything else is written. */
  clear(): void;
}

export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Says nothing but what must not be missed. */
export function urgentOnly(stream: ProgressStream): Progress {
  return {
    onEvent(event) {
      if (event.type === 'problem' && event.problem.urgent) sayProblem(stream, event.problem);
    },
    clear() {},
  };
}

function sayProblem(stream: ProgressStream, { message }: Problem): void {
  stream.write(`${printable(`! ${message}`)}\n`);
}

const redrawMs = 100;
/** How often a long step says where it is when there is no terminal, say in a service's journal. */
const plainEveryMs = 30_000;
/** Without a terminal, shorter steps are not worth a line in a mail. */
const plainFromMs = 2000;

export function createProgress(stream: ProgressStream, clock: Clock): Progress {
  return stream.isTTY ? movingLine(stream, clock) : stepLines(stream, clock);
}

function movingLine(stream: ProgressStream, clock: Clock): Progress {
  let shown = false;
  let drawnAt = Number.NEGATIVE_INFINITY;
  const rates = ratesByRun();
  const clear = () => {
    if (shown) stream.write('\r\x1b[K');
    shown = false;
  };
  const draw = ({ id, step }: RunEvent, counted: Counted) => {
    const now = clock.elapsed();
    const rate = rates.of(id);
    rate.add(counted, now);
    if (now - drawnAt < redrawMs) return;
    drawnAt = now;
    const line = printable(describe(step, counted, rate.perSecond(), true));
    stream.write(`\r\x1b[K${line.slice(0, Math.max(20, (stream.columns ?? 80) - 1))}`);
    shown = true;
  };
  return {
    clear,
    onEvent(event) {
      switch (event.type) {
        case 'step-started':
          drawnAt = Number.NEGATIVE_INFINITY;
          draw(event, {});
          break;
        case 'progress':
          draw(event, event.progress);
          break;
        case 'step-ended':
          rates.end(event.id);
          clear();
          if (isOuter(event.step)) stream.write(`${ended(event)}\n`);
          break;
        case 'problem':
          clear();
          sayProblem(stream, event.problem);
          break;
      }
    },
  };
}

function stepLines(stream: ProgressStream, clock: Clock): Progress {
  let saidAt = clock.elapsed();
  const rates = ratesByRun();
  const say = (text: string) => {
    saidAt = clock.elapsed();
    stream.write(`${printable(text)}\n`);
  };
  return {
    clear() {},
    onEvent(event) {
      switch (event.type) {
        case 'step-started':
          break;
        case 'progress': {
          const rate = rates.of(event.id);
          rate.add(event.progress, clock.elapsed());
          if (clock.elapsed() - saidAt >= plainEveryMs)
            say(describe(event.step, event.progress, rate.perSecond(), false));
          break;
        }
        case 'step-ended':
          rates.end(event.id);
          if (event.failed || (isOuter(event.step) && event.elapsedMs >= plainFromMs)) say(ended(event));
          break;
        case 'problem':
          say(`! ${event.problem.message}`);
          break;
      }
    },
  };
}

function ended(event: Extract<RunEvent, { type: 'step-ended' }>): string {
  return printable(`${event.failed ? '✗' : '✓'} ${event.step}  ${formatDuration(event.elapsedMs)}`);
}

/** Those within a step are of interest to nobody once they are over. */
function isOuter(step: string): boolean {
  return !step.includes('/');
}

/** `store  [#########-----------]  45 %  1.2 GiB of 2.6 GiB  210 MiB/s  7 s left  uploads` */
export function describe(step: string, counted: Counted, perSecond: number | undefined, bar: boolean): string {
  const { doneBytes, totalBytes, doneItems, totalItems, label } = counted;
  const [done, total] = doneBytes === undefined ? [doneItems, totalItems] : [doneBytes, totalBytes];
  const words = [step];
  if (done !== undefined && total !== undefined && total > 0) {
    const share = Math.min(1, done / total);
    if (bar) words.push(`[${'#'.repeat(Math.floor(share * 20)).padEnd(20, '-')}]`);
    words.push(`${Math.floor(share * 100)} %`);
  }
  if (doneBytes !== undefined) words.push(of(formatSize, doneBytes, totalBytes));
  if (doneItems !== undefined) words.push(of(formatCount, doneItems, totalItems));
  if (perSecond !== undefined && doneBytes !== undefined) words.push(`${formatSize(perSecond)}/s`);
  if (perSecond && done !== undefined && total !== undefined && total > done) {
    words.push(`${roughDuration(((total - done) / perSecond) * 1000)} left`);
  }
  if (label) words.push(label);
  return words.join('  ');
}

function of(format: (count: number) => string, done: number, total: number | undefined): string {
  return total === undefined ? format(done) : `${format(done)} of ${format(total)}`;
}

/** Steps side by side are each as fast as they are. */
function ratesByRun() {
  const rates = new Map<number, ReturnType<typeof rateOf>>();
  return {
    of(id: number) {
      const rate = rates.get(id) ?? rateOf();
      rates.set(id, rate);
      return rate;
    },
    end: (id: number) => void rates.delete(id),
  };
}

/** Bytes (or items) per second over about the last ten seconds; undefined until half a second has passed. */
function rateOf() {
  const samples: { at: number; done: number }[] = [];
  return {
    add(counted: Counted, at: number) {
      const done = counted.doneBytes ?? counted.doneItems;
      if (done === undefined || at - (samples.at(-1)?.at ?? Number.NEGATIVE_INFINITY) < redrawMs) return;
      samples.push({ at, done });
      if (samples.length > 100) samples.shift();
    },
    perSecond(): number | undefined {
      const [first, last] = [samples[0], samples.at(-1)];
      if (!first || !last || last.at - first.at < 500) return undefined;
      return Math.max(0, ((last.done - first.done) * 1000) / (last.at - first.at));
    },
  };
}
