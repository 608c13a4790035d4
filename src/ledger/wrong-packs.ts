import { z } from 'zod';
import { isSha256 } from '../vault/format/index.ts';
import { isKnownWriter, mayProve, mayPrune, type Trust } from '../vault/index.ts';

/** An entry names no more; whoever found more writes several. */
export const mostNamed = 1000;

const shape = z.object({ system: z.string(), packs: z.array(z.string().refine(isSha256)).max(mostNamed) });

/** The body of an entry `wrong-packs`; undefined for what cannot be read, which does nothing. */
export function wrongPacksOf(body: unknown): z.infer<typeof shape> | undefined {
  return shape.safeParse(body).data;
}

/** Who writes that system, drills it, or may prune it: a false word costs sending packs once more. */
export function mayCallWrong(trust: Trust, writer: string, system: string): boolean {
  return isKnownWriter(trust, writer, system) || mayProve(trust, writer, system) || mayPrune(trust, writer, system);
}
