// How often captions like this one are right, as captioner/confidence.py has it.

const LARGEST = 30; // of the logistic function's argument: the result stays between 0 and 1

/**
 * @param {{bias: number, probability: number, length: number}} weights as the model stores them
 * @param {number[]} wordScores the log-probability of each word, the end's last
 * @returns {number} from 0 to 1
 */
export function confidenceOf(weights, wordScores) {
  const probabilities = wordScores.map((score) => Math.exp(Math.min(score, 0)));
  const mean = probabilities.reduce((total, each) => total + each, 0) / wordScores.length;
  const value = weights.bias + weights.probability * mean + weights.length * wordScores.length;
  return 1 / (1 + Math.exp(-Math.min(Math.max(value, -LARGEST), LARGEST)));
}
