import { countOf } from '../core/size.ts';
import { engineOf } from '../sources/engines.ts';
import { defineCommand } from './command.ts';
import { exitCodes } from './exit.ts';

export const configValidate = defineCommand({
  description: "Reads the file, looks up no secret and connects to nothing. 'lifeboat check' does the rest.",
  options: {},
  async run({ config, out }) {
    const { name, file, datasets, destinations, warnings } = await config();
    // What a backup would refuse is no valid configuration.
    for (const dataset of Object.values(datasets)) engineOf(dataset.type).validate?.(dataset);
    const found = {
      valid: true,
      system: name,
      file,
      datasets: Object.keys(datasets),
      destinations: Object.keys(destinations),
      warnings,
    };
    out.answer(found, ({ datasets, destinations }, style) =>
      [
        `${style.good('✓')} ${file} is valid: ${countOf(datasets.length, 'dataset')} (${datasets.join(', ')}), ${countOf(destinations.length, 'destination')} (${destinations.join(', ')}).`,
        ...warnings.map((warning) => `${style.warn('!')} ${warning.message}`),
      ].join('\n'),
    );
    return exitCodes.ok;
  },
});
