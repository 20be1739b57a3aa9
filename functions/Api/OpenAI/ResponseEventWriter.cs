using System.Buffers;
using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;

namespace R1Serverless.Api.OpenAI;

/// <summary>Writes the events of one request as the stream of POST /v1/responses: the response, each item with its text as it comes, and the whole of
/// it at the end.</summary>
internal sealed class ResponseEventWriter(AnswerHead head) : IEventWriter
{
    private readonly ArrayBufferWriter<byte> _buffer = new(1024);
    private readonly ResponseItems _items = new(head);
    private readonly List<ResponseItem> _output = [];
    private readonly StringBuilder _text = new();
    private VariantChoice? _variant;
    private FinishReason? _reason;
    private DeltaKind? _open;
    private int _number;

    public ReadOnlyMemory<byte> Written => _buffer.WrittenMemory;

    public void Clear() => _buffer.ResetWrittenCount();

    public void Dispose()
    {
    }

    public void Write(InferenceEvent inferenceEvent)
    {
        switch (inferenceEvent)
        {
            case InferenceEvent.Admitted admitted:
                _variant = admitted.Variant;
                foreach (var type in (string[])["response.created", "response.in_progress"])
                    Put(new(type, _number++) { Response = _items.Answer(ResponseItems.InProgress, [], null, null) });
                break;
            case InferenceEvent.Delta { Kind: var kind, Text: var text }:
                if (_open != kind)
                {
                    Close(ResponseItems.Completed);
                    Open(kind);
                }

                _text.Append(text);
                Put(At(TextEvent(kind) + ".delta", kind) with { Delta = text, Logprobs = kind == DeltaKind.Answer ? [] : null });
                break;
            case InferenceEvent.ChoiceFinished finished:
                _reason = finished.Reason;
                break;
            case InferenceEvent.Finished finished:
                End(finished.Usage);
                break;
        }
    }

    public void WriteError(ApiError error) => Put(new("error", _number++)
    {
        Code = error.Code, Message = error.Message, Param = error.Param, Error = ErrorWire.From(error).Error,
    });

    private static string TextEvent(DeltaKind kind) => kind == DeltaKind.Answer ? "response.output_text" : "response.reasoning_summary_text";

    private static string PartEvent(DeltaKind kind) => kind == DeltaKind.Answer ? "response.content_part" : "response.reasoning_summary_part";

    private void Open(DeltaKind kind)
    {
        _open = kind;
        Put(new("response.output_item.added", _number++)
        {
            OutputIndex = _output.Count, Item = _items.Item(kind, _output.Count, null, ResponseItems.InProgress),
        });
        Put(At(PartEvent(kind) + ".added", kind) with { Part = ResponseItems.Part(kind, "") });
    }

    private void Close(string status)
    {
        if (_open is not { } kind) return;
        var text = _text.ToString();
        Put(At(TextEvent(kind) + ".done", kind) with { Text = text, Logprobs = kind == DeltaKind.Answer ? [] : null });
        Put(At(PartEvent(kind) + ".done", kind) with { Part = ResponseItems.Part(kind, text) });
        var item = _items.Item(kind, _output.Count, text, status);
        Put(new("response.output_item.done", _number++) { OutputIndex = _output.Count, Item = item });
        _output.Add(item);
        _text.Clear();
        _open = null;
    }

    private void End(Usage usage)
    {
        var status = ResponseItems.StatusOf(_reason);
        Close(status);
        if (!_output.Any(item => item.Role is not null))
        {
            Open(DeltaKind.Answer);
            Close(status);
        }

        Put(new($"response.{status}", _number++) { Response = _items.Answer(status, _output, usage, _variant) });
    }

    /// <summary>An event within the item that is open.</summary>
    private ResponseEvent At(string type, DeltaKind kind) => new(type, _number++)
    {
        ItemId = _items.Id(kind, _output.Count), OutputIndex = _output.Count, ContentIndex = kind == DeltaKind.Answer ? 0 : null,
        SummaryIndex = kind == DeltaKind.Reasoning ? 0 : null,
    };

    private void Put(ResponseEvent one)
    {
        _buffer.Write(Encoding.UTF8.GetBytes($"event: {one.Type}\ndata: "));
        using (Utf8JsonWriter json = new(_buffer, new JsonWriterOptions { Encoder = WireJson.Encoder }))
            JsonSerializer.Serialize(json, one, WireJson.Relaxed.ResponseEvent);
        _buffer.Write("\n\n"u8);
    }
}
