using R1Serverless.Abstractions;
using R1Serverless.Engine.Images;
using R1Serverless.Models.Folders;

namespace R1Serverless.Engine.Evaluation;

/// <summary>Samples of requests as the graph gets them.</summary>
public static class SampleInputs
{
    /// <summary>Images become the rows that the graph gets of them; other samples stay.</summary>
    /// <param name="samples">Of images one each.</param>
    /// <param name="places">Where each is from; empty where nobody knows.</param>
    /// <exception cref="InvalidDataException">An image can't be read; the message names its place, or its number from 1.</exception>
    public static async Task<IReadOnlyList<Prompt>> ReadAsync(ModelFolder folder, IReadOnlyList<Prompt> samples, IReadOnlyList<string> places,
        CancellationToken cancellation)
    {
        if (folder is not { Images: { } settings, Signature.Inputs: [{ Type: var type }] }) return samples;
        List<Prompt> read = [];
        foreach (var sample in samples)
        {
            if (sample is not Prompt.Texts { Inputs: [{ Image: { } image }] })
            {
                read.Add(sample);
                continue;
            }

            var (row, fault) = await ImageReading.ReadAsync(image, settings, type, cancellation);
            read.Add(new Prompt.Tensors([row ?? throw new InvalidDataException($"{Place(places, read.Count)}: the image {fault}.")]));
        }

        return read;
    }

    internal static string Place(IReadOnlyList<string> places, int sample) => sample < places.Count ? places[sample] : $"Sample {sample + 1}";
}
