"""Epochs, batches and the training of one seed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl.engine.train import (
    Schedule,
    epoch_batches,
    is_turn,
    make_schedule,
    streams,
    summarize,
)


@pytest.mark.parametrize("n_samples", [5, 130, 1000])
@pytest.mark.parametrize("n_steps", [1, 77, 400])
def test_a_schedule_has_the_steps_asked_for_and_hardly_more(n_samples, n_steps):
    schedule = make_schedule(n_samples, 64, n_steps)
    surplus = schedule.n_steps - n_steps
    assert 0 <= surplus < schedule.steps_per_pass * schedule.n_epochs
    assert surplus <= max(schedule.steps_per_pass, 0.1 * n_steps)
    assert schedule.batch_size <= n_samples


def test_every_pass_visits_each_sample_once_at_most_in_a_new_order():
    schedule = Schedule(batch_size=8, steps_per_pass=3, passes=4, n_epochs=1)
    batches = np.asarray(epoch_batches(jax.random.key(0), 30, schedule))
    assert batches.shape == (12, 8)
    passes = batches.reshape(4, 24)
    for one in passes:
        assert len(np.unique(one)) == 24
        assert one.min() >= 0
        assert one.max() < 30
    assert not np.array_equal(passes[0], passes[1])


def test_random_streams_of_a_seed_are_distinct():
    keys = streams(jax.random.key(1))
    by_step = [jax.random.fold_in(keys.step, step) for step in range(3)]
    within_a_fit = jax.random.split(keys.finetune, 3)
    data = [tuple(jax.random.key_data(k).tolist()) for k in (*keys, *by_step, *within_a_fit)]
    assert len(set(data)) == len(data)


def test_an_epoch_is_summarised_by_means_over_steps_and_the_scatter_of_its_embedding():
    usage = jnp.array([[1.0, 0.0], [0.0, 1.0]])  # each batch one prototype, the epoch both
    embedding = jnp.array([[0.0, 1.0], [2.0, 1.0]])
    summary = summarize({"loss": jnp.array([1.0, 3.0]), "usage": usage}, embedding)
    assert summary["loss"] == pytest.approx(2)
    np.testing.assert_allclose(summary["usage"], [0.5, 0.5])
    np.testing.assert_allclose(summary["scatter"], [[2.0, 0.0], [0.0, 0.0]])


@pytest.mark.parametrize("every", [1, 2, 5])
@pytest.mark.parametrize("n_epochs", [1, 4, 10, 11, 14])
def test_rounds_begin_with_the_first_epoch_and_none_is_too_short_to_be_learnt(every, n_epochs):
    turns = [epoch for epoch in range(n_epochs) if is_turn(epoch, every, n_epochs)]
    assert turns[0] == 0
    lengths = np.diff([*turns, n_epochs])
    assert all(length == every for length in lengths[:-1])
    assert every <= lengths[-1] < 2 * every or len(turns) == 1
