// Whether the conclusion of an experiment has a sentence; without one, the page says when the answer appears.

/** As the template `experiments/_answer.html` decides it. */
export function hasSentences({ differences, trouble, same }, { measured, measurement, tried }) {
  return differences.length + trouble.length > 0 || Boolean(same || measured || measurement || tried);
}
