import { setFlagsFromString } from 'node:v8';

/**
 * From now on the collector of this process does not count buffers with the heaps. Tens of megabytes of them come and go with
 * every pack and are given back by hand: counted, they set off a full collection for every second pack, a tenth of a
 * backup's processor time (measured). A restore, which leaves more to the collector, only grew by it.
 */
export function countBuffersApart(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit');
}
