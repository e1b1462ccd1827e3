import { announce, count, find } from "./dom.js";

// The toolbar: how far the queue is, how fast, and what the button does.
export function showProgress(queue) {
  const { cards, isStopped } = queue, failed = queue.number("failed");
  const ended = queue.number("done") + failed, isDone = ended === cards.length, wasDone = find("progress").hidden;
  find("toolbar").hidden = !cards.length;
  find("progress").hidden = isDone;
  find("progress").max = cards.length;
  find("progress").value = ended;
  const text = isDone ? `${count(cards.length - failed, "photo")} captioned` : `${ended} of ${cards.length}`;
  find("count").textContent = text + (failed ? `, ${failed} failed` : "") + (isStopped && !isDone ? ", stopped" : "");
  find("pace").textContent = isDone || isStopped ? "" : paceText(queue.pace(), cards.length - ended);
  find("stop").hidden = isDone;
  find("stop").textContent = isStopped ? "Continue" : "Stop";
  // Once, so that it does not drown what is said of an edit.
  if (isDone && !wasDone && cards.length) announce(cards.length === 1 ? captionOf(cards[0]) : find("count").textContent);
}

const captionOf = (card) => card.answer.captions?.[0].text ?? card.answer.error;

export function paceText(pace, left) {
  if (!pace) return "";
  const quick = pace >= 1 ? `${pace.toFixed(1)} photos a second` : `${(1 / pace).toFixed(1)} seconds a photo`;
  return `${quick}, ${timeText(left / pace)} left`;
}

function timeText(seconds) {
  if (seconds < 60) return count(Math.max(1, Math.round(seconds)), "second");
  if (seconds < 3600) return count(Math.round(seconds / 60), "minute");
  return count(Math.round(seconds / 360) / 10, "hour");
}
