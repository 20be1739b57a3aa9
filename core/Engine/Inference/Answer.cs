using System.Security.Cryptography;
using System.Threading.Channels;
using R1Serverless.Abstractions;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Sampling;
using R1Serverless.Engine.Steps;
using R1Serverless.Engine.Text;

namespace R1Serverless.Engine.Inference;

/// <summary>A request under way: its sequences in the engine, and the text of each choice so far.</summary>
internal sealed class Answer
{
    private readonly LoadedDecoder _model;
    private readonly AnswerReader[] _readers;
    private readonly bool[] _ended;
    private readonly List<InferenceEvent.Delta> _deltas = [];
    private readonly int _promptTokens;
    private int _open;
    private int _completionTokens;

    public Answer(InferenceRequest request, LoadedDecoder model, PromptTokens prompt, ChannelWriter<SequenceOutput> output)
    {
        _model = model;
        _promptTokens = prompt.Ids.Length;
        _open = request.Choices;
        _ended = new bool[request.Choices];
        _readers = new AnswerReader[request.Choices];
        var sequences = new Sequence[request.Choices];
        var seed = request.Sampling.Seed ?? BitConverter.ToInt64(RandomNumberGenerator.GetBytes(8));
        for (var choice = 0; choice < request.Choices; choice++)
        {
            _readers[choice] = NewReader(request, model, prompt, choice);
            sequences[choice] = NewSequence(request, model, prompt, output, choice, seed);
        }

        Sequences = sequences;
    }

    public IReadOnlyList<Sequence> Sequences { get; }

    /// <summary>What has happened since the caller last cleared it; text is in it after <see cref="Flush"/>.</summary>
    public List<InferenceEvent> Events { get; } = [];

    public bool IsComplete { get; private set; }

    public void Take(SequenceOutput output)
    {
        if (IsComplete || _ended[output.Choice]) return;
        if (output.Error is { } error)
        {
            Events.Add(new InferenceEvent.Failed(error));
            IsComplete = true;
            return;
        }

        var reader = _readers[output.Choice];
        if (output.Token is { } token)
        {
            _completionTokens++;
            reader.Append(token, _deltas);
        }

        if (output.End is not null || reader.Stopped) reader.Finish(_deltas);
        TakeDeltas();
        if (output.End is null && !reader.Stopped) return;
        if (output.End is null) _model.Engine.Cancel(Sequences[output.Choice]);
        EndChoice(output.Choice, reader.Stopped ? FinishReason.Stop : output.End!.Value);
    }

    /// <summary>Text that came together goes on together: one event per choice, one chunk of a stream.</summary>
    public void Flush()
    {
        foreach (var reader in _readers) reader.Flush(_deltas);
        TakeDeltas();
    }

    /// <summary>The caller goes: whatever still runs for it gives its slot back.</summary>
    public void CancelUnfinished()
    {
        if (IsComplete && _open == 0) return;
        for (var choice = 0; choice < _ended.Length; choice++)
        {
            if (!_ended[choice]) _model.Engine.Cancel(Sequences[choice]);
        }
    }

    private void TakeDeltas()
    {
        Events.AddRange(_deltas);
        _deltas.Clear();
    }

    private void EndChoice(int choice, FinishReason reason)
    {
        _ended[choice] = true;
        Events.Add(new InferenceEvent.ChoiceFinished(choice, reason, _readers[choice].UnopenedReasoning));
        if (--_open > 0) return;
        IsComplete = true;
        Events.Add(new InferenceEvent.Finished(new Usage(_promptTokens, _completionTokens, _readers.Sum(r => r.ReasoningTokens))
        {
            // The choices share one prompt; the first of them may have computed it for the others.
            CachedTokens = Sequences[0].SharedLength,
        }));
    }

    /// <summary>Only a conversation is split into reasoning and answer: a raw prompt gets back what was generated.</summary>
    private static AnswerReader NewReader(InferenceRequest request, LoadedDecoder model, PromptTokens prompt, int choice)
    {
        var isChat = request.Prompt is Prompt.Chat;
        var tags = isChat ? ReasoningTags.Of(model.Text.Template) : null;
        return new AnswerReader(choice, model.Tokenizer, request.Stop, tags, prompt.OpensReasoning, continues: !isChat);
    }

    private static Sequence NewSequence(InferenceRequest request, LoadedDecoder model, PromptTokens prompt, ChannelWriter<SequenceOutput> output,
        int choice, long seed)
    {
        var generation = model.Folder.Generation;
        var room = model.Folder.Config.ContextLength - prompt.Ids.Length;
        return new Sequence
        {
            Number = model.Engine.NextNumber(),
            PromptLength = prompt.Ids.Length,
            Choice = choice,
            Prompt = prompt.Ids,
            PrefixSalt = model.Engine.PrefixSalt(request),
            Sampler = new Sampler(request.Sampling, generation, model.Folder.Config.VocabularySize, RandomStream.SeedOf(seed, choice),
                request.TopLogprobs, prompt.Ids),
            MaxTokens = Math.Min(request.MaxTokens ?? generation.MaxTokens(prompt.Ids.Length) ?? room, room),
            EndTokens = request.IgnoreEndOfSequence ? [] : [.. EndTokens(request, model)],
            Output = output,
        };
    }

    /// <summary>Those that the model's files name, and in a conversation the one that ends a turn there, which the files may leave out.</summary>
    private static IEnumerable<int> EndTokens(InferenceRequest request, LoadedDecoder model)
    {
        var named = model.Folder.Generation.EndTokens;
        return request.Prompt is Prompt.Chat && model.Text.Template.EndOfTurn is { } end ? named.Append(end).Distinct() : named;
    }
}
