import { setFlagsFromString } from 'node:v8';

/**
 * From now on V8, in all of this process, counts buffers towards the limit of heap and buffers together, twice that of the
 * heap, and not towards the heap's own. Tens of megabytes of them come and go with every pack and are given back by hand:
 * counted with the heap, they set off a full collection for nearly every pack, a fourteenth of a backup's processor time
 * (measured). A restore, which leaves more to the collector, only grew by it.
 */
export function countBuffersApart(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit');
}
