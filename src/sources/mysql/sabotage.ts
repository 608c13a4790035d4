import type { Run } from '../../core/run.ts';
import type { Saboteur } from '../sabotage.ts';
export async function openMysqlSaboteur(where: string, run: Run): Promise<Saboteur> {
  throw new Error(`${where} ${run}`);
}
