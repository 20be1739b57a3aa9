using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Engine.ModelHosting;

/// <summary>A model's tokenizer, and a decoder's template: read when they are first asked for, one reading at a time, and then kept for all its
/// variants. Any thread may ask.</summary>
internal sealed class HostedText(ModelFolder folder)
{
    private readonly Lock _gate = new();
    private Task<ModelText?>? _reading;

    /// <summary>The text of a model that is open already.</summary>
    public static HostedText Of(LoadedVariant variant) => new(variant.Folder) { _reading = Task.FromResult(variant.Text) };

    /// <summary>Reads on a thread of its own; null for a model that takes no text. A fault is that reading's alone: the next
    /// call tries again.</summary>
    public Task<ModelText?> ReadAsync()
    {
        lock (_gate)
        {
            if (_reading is null or { IsFaulted: true }) _reading = Read();
            return _reading;
        }
    }

    private Task<ModelText?> Read() => folder.Manifest.Kind == ModelKind.Decoder || folder.Encoder is not null
        ? DedicatedThread.Start($"read {folder.Name}", () => ModelText.Load(folder)) : Task.FromResult<ModelText?>(null);

    /// <summary>The same, but null where it can't be read: a load of the model meets the same fault and reports it.</summary>
    public async ValueTask<ModelText?> FindAsync(CancellationToken cancellationToken)
    {
        var reading = ReadAsync();
        if (reading.IsCompletedSuccessfully) return await reading;
        Task waited = reading.WaitAsync(cancellationToken);
        await waited.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        return reading.IsCompletedSuccessfully ? await reading : null;
    }
}
