using R1Serverless.Abstractions;

namespace R1Serverless.Queues.Gateway;

/// <summary>Makes one stream of events for the client of what arrives: replies of one or several deliveries, some of them lost or twice, and at last
/// the stored result. Nothing is given twice: a telling that begins anew is compared with what was given, and only what goes beyond it is passed
/// on.</summary>
internal sealed class ReplayDeduplicator
{
    private readonly List<DeliveredText> _choices = [];
    private int _delivery;
    private long _run;
    private long _next;
    private bool _isAdmitted, _hasOutputs;
    private bool _hasGap;

    /// <summary>The last event has been given.</summary>
    public bool IsEnded { get; private set; }

    /// <summary>The delivery at hand has ended, but what came before its end is missing: the result is in the store.</summary>
    public bool NeedsResult { get; private set; }

    public void Take(Reply reply, List<InferenceEvent> given)
    {
        if (IsEnded || reply.Delivery < _delivery) return;
        if (reply.Delivery > _delivery) Begin(reply.Delivery, reply.Run);
        if (reply.Run != _run)
        {
            // Another run of the same number: its end says that there is a result.
            NeedsResult |= reply.Events is [.., InferenceEvent.Finished or InferenceEvent.Failed];
            return;
        }

        _hasGap |= reply.First > _next;
        if (_hasGap)
        {
            NeedsResult |= reply.Events is [.., InferenceEvent.Finished or InferenceEvent.Failed];
            return;
        }

        foreach (var inferenceEvent in reply.Events.Skip((int)Math.Min(_next - reply.First, int.MaxValue))) Take(inferenceEvent, given);
        _next = Math.Max(_next, reply.First + reply.Events.Count);
    }

    public void Take(InferenceResult result, List<InferenceEvent> given)
    {
        if (IsEnded) return;
        Begin(_delivery, _run);
        foreach (var inferenceEvent in ResultEvents.Of(result)) Take(inferenceEvent, given);
    }

    /// <summary>Ends the stream for a reason of the gateway's own.</summary>
    public void Fail(InferenceError error, List<InferenceEvent> given)
    {
        IsEnded = true;
        given.Add(new InferenceEvent.Failed(error));
    }

    private void Begin(int delivery, long run)
    {
        (_delivery, _run, _next, _hasGap, NeedsResult) = (delivery, run, 0, false, false);
        foreach (var choice in _choices) choice.Rewind();
    }

    private void Take(InferenceEvent inferenceEvent, List<InferenceEvent> given)
    {
        if (IsEnded) return;
        switch (inferenceEvent)
        {
            case InferenceEvent.Admitted:
                if (!_isAdmitted) given.Add(inferenceEvent);
                _isAdmitted = true;
                break;
            case InferenceEvent.Delta delta:
                if (!ChoiceAt(delta.Choice).TryAdd(delta, out var fresh)) FailDifferent(given);
                else if (fresh is not null) given.Add(fresh);
                break;
            case InferenceEvent.Outputs or InferenceEvent.Decided:
                if (!_hasOutputs) given.Add(inferenceEvent);
                _hasOutputs = true;
                break;
            case InferenceEvent.ChoiceFinished finished:
                var choice = ChoiceAt(finished.Choice);
                if (!choice.IsCaughtUp) FailDifferent(given);
                else if (!choice.IsFinished) given.Add(inferenceEvent);
                choice.IsFinished = true;
                break;
            case InferenceEvent.Finished when !_choices.TrueForAll(each => each.IsCaughtUp):
                FailDifferent(given);
                break;
            case InferenceEvent.Finished or InferenceEvent.Failed:
                IsEnded = true;
                given.Add(inferenceEvent);
                break;
        }
    }

    private void FailDifferent(List<InferenceEvent> given) => Fail(
        new InferenceError(InferenceErrorKind.Internal,
        "The worker was lost, and the answer, begun anew, came out differently from what was sent. Retry the request."), given);

    private DeliveredText ChoiceAt(int index)
    {
        while (_choices.Count <= index) _choices.Add(new DeliveredText());
        return _choices[index];
    }
}
