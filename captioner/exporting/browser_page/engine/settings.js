// The settings of a search: those given, else those stored in the model, checked as
// captioner/generation.py and captioner/decoding.py do. Their names
// and ranges are in the table that the export writes into the model's manifest.

const KINDS = { integer: "a whole number", number: "a number", boolean: "true or false", string: "a name" };

/**
 * @param {object} given names and values; null counts as not given
 * @param {object[]} table { name, type, default, minimum, maximum, enum, methods, label }
 * @returns {object} the method and its settings
 * @throws {Error} one line that says what is wrong
 */
export function searchSettings(given, table) {
  given = Object.fromEntries(Object.entries(given).filter(([, value]) => (value ?? null) !== null));
  for (const [name, value] of Object.entries(given)) check(name, value, table);
  const method = given.method ?? table.find(({ name }) => name === "method").default;
  for (const { name, methods, label } of table) {
    const isHarmless = name === "method" || (name === "n_best" && given[name] === 1);
    if (name in given && !isHarmless && !methods.includes(method)) {
      throw new Error(`${label} ${given[name]}: has no meaning with method ${method}; leave it out`);
    }
  }
  const settings = Object.fromEntries(table.filter(({ methods }) => methods.includes(method))
    .map((setting) => [setting.name, given[setting.name] ?? setting.default]));
  if (method === "beam") checkBeam(settings, given);
  return { method, ...settings };
}

/** More captions than the stored beam is wide widen it; more than a given one are a mistake. */
function checkBeam(settings, given) {
  if (!("beam_size" in given)) settings.beam_size = Math.max(settings.beam_size, settings.n_best);
  if (settings.n_best > settings.beam_size) {
    throw new Error(`n best ${settings.n_best}: must be at most the beam size, ${settings.beam_size}`);
  }
}

function check(name, value, table) {
  const setting = table.find((each) => each.name === name);
  if (!setting) throw new Error(`${name}: no such setting`);
  const what = `${setting.label} ${JSON.stringify(value)}`;
  if (!isOfType(value, setting.type)) throw new Error(`${what}: must be ${KINDS[setting.type]}`);
  if (setting.enum && !setting.enum.includes(value)) {
    throw new Error(`${what}: no such ${setting.label}; choose ${setting.enum.join(", ")}`);
  }
  const { minimum = -Infinity, maximum = Infinity } = setting;
  if (value < minimum || value > maximum) throw new Error(`${what}: must be ${rangeOf(setting)}`);
}

function isOfType(value, type) {
  if (type === "integer") return Number.isInteger(value);
  return typeof value === type && !Number.isNaN(value);
}

function rangeOf({ minimum, maximum }) {
  return maximum === undefined ? `${minimum} or more` : `from ${minimum} to ${maximum}`;
}
