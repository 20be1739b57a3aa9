using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenInference;
using R1Serverless.Images;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Storage.Files;

namespace R1Serverless.Commands;

/// <summary>Requests that a model over tensors is evaluated with, from a file of JSON lines or a folder of pictures.</summary>
internal static class TensorSamples
{
    /// <summary>Pictures are held in memory as the graph gets them: of more, so many are taken, evenly from all.</summary>
    private const int MaxPictures = 256;

    /// <param name="path">Each line is a body of POST /v2/models/{model}/infer, or <c>{"text"}</c> (for a ranker <c>{"text","pair"}</c>) where the
    /// model is an encoder; empty lines are passed over. Or a folder of pictures, in it and below, for a model of images.</param>
    /// <exception cref="InvalidDataException">A line is something else, or there is none; the message names the file and the line.</exception>
    /// <param name="places">Gets where each is from, in words for an error.</param>
    public static async Task<IReadOnlyList<Prompt>> LoadAsync(string path, ModelFolder folder, List<string> places,
        CancellationToken cancellationToken)
    {
        if (Directory.Exists(path)) return await PicturesAsync(path, folder, places, cancellationToken);
        List<Prompt> samples = [];
        await foreach (var (number, line) in TextFile.LinesAsync(path, cancellationToken))
        {
            if (string.IsNullOrWhiteSpace(line)) continue;
            samples.Add(Text(line, folder, $"{path}, line {number}") ?? Tensors(line, out var fault)
                ?? throw new InvalidDataException($"{path}, line {number}: {fault}"));
            places.Add($"{path}, line {number}");
        }

        return samples.Count > 0 ? samples : throw new InvalidDataException($"{path} holds no samples.");
    }

    private static async Task<IReadOnlyList<Prompt>> PicturesAsync(string path, ModelFolder folder, List<string> places,
        CancellationToken cancellationToken)
    {
        if (folder.Images is null) throw new InvalidDataException($"{path} is a folder, and {folder.Name} takes no images.");
        var files = PictureFiles.Find(path).Pictures;
        if (files.Count == 0) throw new InvalidDataException($"{path} holds no pictures ({string.Join(", ", PictureFiles.Extensions)}).");
        List<Prompt> samples = [];
        var count = Math.Min(files.Count, MaxPictures);
        for (var i = 0; i < count; i++)
        {
            var file = Path.Combine(path, files[(int)((long)i * files.Count / count)]);
            TextInput input = new(null, Image: await PictureFiles.ReadAsync(file, file, cancellationToken));
            samples.Add(new Prompt.Texts(folder.Images.Output?.Task ?? TextTask.Embed, [input]));
            places.Add(file);
        }

        return samples;
    }

    private static Prompt? Tensors(string line, out string? fault)
    {
        var body = Encoding.UTF8.GetBytes(line);
        return InferBodyReader.Read(body, body.Length, out fault) is { } read ? new Prompt.Tensors(read.Inputs) : null;
    }

    private static Prompt? Text(string line, ModelFolder folder, string place)
    {
        if (folder.Encoder is not { } encoder) return null;
        try
        {
            using var document = JsonText.ParseLine(line);
            JsonFields fields = new("", document.RootElement);
            return fields.FindString("text") is { } text
                ? new Prompt.Texts(encoder.Task, [new TextInput(text, fields.FindString("pair"))]) { Truncation = TextTruncation.Right } : null;
        }
        catch (InvalidDataException fault)
        {
            throw new InvalidDataException($"{place}{fault.Message}", fault);
        }
        catch (Exception fault) when (fault is JsonException or InvalidModelException)
        {
            // It is told as a body of tensors that it isn't either.
            return null;
        }
    }
}
