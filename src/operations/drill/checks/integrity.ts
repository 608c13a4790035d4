import type { Measurement } from '../../../sources/source.ts';
import type { Finding } from '../parts.ts';

/** One of the engine's own examinations. */
export function checkIntegrity(one: Measurement['integrity'][number]): Finding {
  return {
    verdict: one.ok ? 'pass' : 'fail',
    looked: one.looked,
    // An empty database has no index and no page to find fault with; expectations say whether it should be empty.
    emptyIsRight: one.looked === 0,
    expected: 'no damage',
    actual: one.ok ? 'no damage' : 'damage',
    message: one.detail || (one.ok ? `${one.name} found nothing wrong.` : `${one.name} found damage.`),
  };
}
