import { formatCount } from '../core/size.ts';
import type { Style } from './output.ts';

type Counts = Readonly<Record<string, number>>;

/** `PutObject 12, HeadObject 3` */
export function requestText(requests: Counts): string {
  return Object.entries(requests)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name} ${formatCount(count)}`)
    .join(', ');
}

/** A line for each destination that charges for requests; none where none does. */
export function requestLines(byDestination: Readonly<Record<string, Counts>>, style: Style): string[] {
  return Object.entries(byDestination).map(([name, counts]) =>
    style.dim(`  requests to ${name}: ${requestText(counts)}`),
  );
}
